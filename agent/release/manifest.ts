// The list of an archive's files with their hashes: the build writes it (and signs it, with a release key), the installer
// checks it before anything is written.
import { createHash, type KeyObject } from 'node:crypto';
import { existsSync, lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import { DsseEnvelope, openDsse, type Signer, signDsse } from '#shared/signing/dsse.ts';

/** A file of an archive by its path in it: one folder deep at most, no link. */
const ReleaseFile = z.strictObject({
  path: z.string().regex(/^([a-z]+\/)?[A-Za-z0-9_-][A-Za-z0-9._-]*$/),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

export const ReleaseManifest = z.strictObject({
  v: z.literal(1),
  version: z.string().min(1).max(100),
  /** process.platform and process.arch of the machines that it is for. */
  platform: z.string().regex(/^[a-z0-9]+-[a-z0-9]+$/),
  /** Version of the Node in it. */
  node: z.string().min(1).max(100),
  files: z.array(ReleaseFile).min(1),
});
export type ReleaseManifest = z.infer<typeof ReleaseManifest>;

const LIST_FILE = 'manifest.json';
/** A DSSE envelope around the bytes of the list. */
const SIGNATURE_FILE = 'manifest.sig.json';

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** What an archive holds; a person may have put keys and a policy beside it. */
const FOLDERS = ['bin', 'lib'];
const FILES = ['VERSION', 'install'];

/** Paths of the files in an archive's folder, without the list itself. Throws `corrupt` at a name that is no plain file. */
function listFiles(dir: string): string[] {
  const below = FOLDERS.flatMap((folder) =>
    readdirSync(join(dir, folder)).map((name) => `${folder}/${name}`),
  );
  const paths = [...FILES.filter((name) => existsSync(join(dir, name))), ...below].toSorted();
  const odd = paths.find((path) => !lstatSync(join(dir, path)).isFile());
  if (odd !== undefined) refuse(`${odd} is no plain file`);
  return paths;
}

/** Writes the list of what is in `dir`, and its signature when there is a key; returns the SHA-256 of the list. */
export async function writeManifest(
  dir: string,
  facts: Pick<ReleaseManifest, 'version' | 'platform' | 'node'>,
  signer?: Signer,
): Promise<string> {
  const files = listFiles(dir).map((path) => ({ path, sha256: hashOf(readFileSync(join(dir, path))) }));
  const payload = Buffer.from(
    `${JSON.stringify(ReleaseManifest.parse({ v: 1, ...facts, files }), null, 1)}\n`,
  );
  writeFileSync(join(dir, LIST_FILE), payload);
  if (signer) {
    const signed = await signDsse('release', payload, [signer]);
    writeFileSync(join(dir, SIGNATURE_FILE), JSON.stringify(signed));
  }
  return hashOf(payload);
}

function refuse(detail: string, cause?: unknown): never {
  throw new LamplighterError('corrupt', `check the archive: ${detail}`, {
    hint: 'Nothing was installed. Fetch the archive again, and compare its SHA-256 with the one that the build printed.',
    cause,
  });
}

/** The list's bytes; with keys, only when one of them signed it. */
function readList(dir: string, releaseKeys: readonly KeyObject[]): Uint8Array {
  const list = readFileSync(join(dir, LIST_FILE));
  if (releaseKeys.length === 0) return list;
  const file = join(dir, SIGNATURE_FILE);
  if (!existsSync(file))
    refuse('its list of files is not signed, and this host accepts signed archives only');
  const signed = openDsse('release', DsseEnvelope.parse(JSON.parse(readFileSync(file, 'utf8'))), releaseKeys);
  if (!signed || Buffer.compare(signed, list) !== 0)
    refuse("its list of files is not signed with this host's release key");
  return list;
}

/** A file whose bytes were checked: these bytes are installed, whatever the folder holds by then. */
export interface CheckedFile {
  path: string;
  bytes: Buffer;
}

/**
 * Reads an archive's folder and holds every file against the list; with `releaseKeys` the list must be signed by one of them.
 * Throws `corrupt` at a file that is missing, altered or not listed.
 */
export function readRelease(
  dir: string,
  releaseKeys: readonly KeyObject[],
): { manifest: ReleaseManifest; files: CheckedFile[] } {
  let manifest: ReleaseManifest;
  try {
    manifest = ReleaseManifest.parse(JSON.parse(Buffer.from(readList(dir, releaseKeys)).toString('utf8')));
  } catch (error) {
    if (error instanceof LamplighterError) throw error;
    refuse(`its list of files can't be read: ${messageOf(error)}`, error);
  }
  const listed = new Set(manifest.files.map(({ path }) => path));
  const extra = listFiles(dir).find((path) => !listed.has(path));
  if (extra !== undefined) refuse(`${extra} is not in its list of files`);
  const files = manifest.files.map(({ path, sha256 }) => {
    const file = join(dir, path);
    if (!existsSync(file)) refuse(`${path} is missing`);
    const bytes = readFileSync(file);
    if (hashOf(bytes) !== sha256) refuse(`${path} differs from its list of files`);
    return { path, bytes };
  });
  return { manifest, files };
}
