// Whether a manifest is believed: its document, its signature, its form, and which backup it is of. The host asks before it
// uploads or restores, the control plane before it verifies.
import type { KeyObject } from 'node:crypto';
import { describeFault } from '../plain-issue.ts';
import { DsseEnvelope, openDsse } from '../signing/dsse.ts';
import { BackupManifest, MANIFEST_FILE, PART_FILES } from './manifest.ts';

/** What is wrong: no DSSE document, no signature of the runner, a form of another version, another backup. */
export type ManifestDoubt = 'document' | 'signature' | 'form' | 'backup';

export type ManifestBelief =
  | { believed: true; manifest: BackupManifest }
  | {
      believed: false;
      doubt: ManifestDoubt;
      /** For people: `manifest.json: not a signed document`. */
      fault: string;
    };

/** Whose runner must have signed. */
export interface ManifestSigner {
  host: string;
  keys: readonly KeyObject[];
}

/** A manifest may come with thousands of unknown keys, each in the fault. */
const MAX_FAULT_LENGTH = 300;

function doubt(kind: ManifestDoubt, fault: string): ManifestBelief {
  return { believed: false, doubt: kind, fault: `${MANIFEST_FILE}: ${fault}`.slice(0, MAX_FAULT_LENGTH) };
}

/**
 * Judges the text of a manifest file of a backup. Without `signer` the signature is not checked: for a place where root
 * alone writes, whose manifests may be older than the runner's key.
 */
export function believeManifest(text: string, backupId: string, signer?: ManifestSigner): ManifestBelief {
  const document = DsseEnvelope.safeParse(parseJson(text));
  if (!document.success) return doubt('document', 'not a signed document');
  const payload = signer
    ? openDsse('manifest', document.data, signer.keys)
    : Buffer.from(document.data.payload, 'base64');
  if (!payload) {
    const keyIds = document.data.signatures.map(({ keyid }) => keyid).join(', ');
    const named = `it names key ${keyIds.slice(0, 100)}`;
    return doubt('signature', `not signed by the runner of ${signer?.host} (${named})`);
  }
  const parsed = BackupManifest.safeParse(parseJson(Buffer.from(payload).toString('utf8')));
  if (!parsed.success) {
    const why = describeFault(parsed.error, 'the document');
    return doubt('form', `not a manifest of a form that this version of Lamplighter reads: ${why}`);
  }
  return judgeSubject(parsed.data, backupId, signer?.host);
}

function judgeSubject(
  manifest: BackupManifest,
  backupId: string,
  host: string = manifest.host,
): ManifestBelief {
  if (manifest.host !== host || manifest.backupId !== backupId) {
    return doubt('backup', `it is the manifest of backup ${manifest.backupId} of ${manifest.host}`);
  }
  const names = manifest.parts.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) return doubt('form', `it names ${PART_FILES[twice]} twice`);
  return { believed: true, manifest };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
