// Cloud KMS's client in a module of its own, which is imported only where something is signed.
import { KeyManagementServiceClient } from '@google-cloud/kms';
import type { KmsClient } from './signer.ts';

export function openKms(): KmsClient {
  return new KeyManagementServiceClient();
}
