// Cloud KMS's client, alone in a module that is imported where something is signed with it.
import { KeyManagementServiceClient } from '@google-cloud/kms';
import type { KmsClient } from './signer.ts';

export function openKms(): KmsClient {
  return new KeyManagementServiceClient();
}
