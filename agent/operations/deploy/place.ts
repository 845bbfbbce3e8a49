// Where a deployment's things are: releases and their link where the policy says; mirror, records and home of its programs
// in Lamplighter's own directory, of which root owns every name.
import {
  chmodSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { LamplighterError } from '#shared/errors.ts';
import { renameDurably, writeDurably } from '#shared/kit/durable-file.ts';
import { EntryName, ReleaseId } from '#shared/names.ts';
import type { GitStrategy } from '#shared/policy/deploy.ts';
import { PATHS } from '../../config/paths.ts';
import { gitSettings } from '../../host/git.ts';
import type { Account } from '../../host/process.ts';
import { requireTrustedPath } from '../../host/trusted-path.ts';

export interface DeploymentPlace {
  releases: string;
  current: string;
  /** Bare repository, the account's. */
  mirror: string;
  settings: string;
  /** HOME of the policy's programs, the account's: what they cache there outlives a release. */
  home: string;
  records: string;
}

/** The places of a deployment. */
export function placeOf(deployment: string, { releases, current }: GitStrategy): DeploymentPlace {
  const own = join(PATHS.deployments, EntryName.parse(deployment));
  return {
    releases,
    current,
    mirror: join(own, 'mirror.git'),
    settings: join(own, 'gitconfig'),
    home: join(own, 'home'),
    records: join(own, 'releases'),
  };
}

/** Makes a directory where it is missing, with exactly this mode, whatever the umask; perhaps an account's. */
function makeDirectory(path: string, mode: number, account?: Account): void {
  if (existsSync(path)) return;
  mkdirSync(path);
  // Before the account has it: no link can be in its place.
  chmodSync(path, mode);
  if (account) lchownSync(path, account.uid, account.gid);
}

/** Makes what is missing. Throws `refused` where another account than root could lead root elsewhere. */
export function makePlaces(place: DeploymentPlace, terms: GitStrategy, account: Account): void {
  requireTrustedPath(dirname(place.current));
  requireTrustedPath(place.releases);
  // The account has to get through to what is its own.
  for (const path of [PATHS.deployments, dirname(place.records), place.records, place.releases])
    makeDirectory(path, 0o755);
  for (const path of [place.mirror, place.home]) makeDirectory(path, 0o700, account);
  writeDurably(place.settings, gitSettings(terms), 0o644);
}

/** The directory of a release. */
export function releaseDir({ releases }: DeploymentPlace, release: ReleaseId): string {
  return join(releases, ReleaseId.parse(release));
}

/** Makes a release's directory, empty and the account's. Throws when there is one. */
export function makeReleaseDir(place: DeploymentPlace, release: ReleaseId, account: Account): string {
  const dir = releaseDir(place, release);
  mkdirSync(dir);
  chmodSync(dir, 0o755);
  lchownSync(dir, account.uid, account.gid);
  return dir;
}

/** Releases that are there, oldest first. */
export function listReleases({ releases }: DeploymentPlace): ReleaseId[] {
  if (!existsSync(releases)) return [];
  return readdirSync(releases)
    .flatMap((name) => ReleaseId.safeParse(name).data ?? [])
    .toSorted();
}

/** Where the link leads, as it is written; null when there is none. Throws `refused` when something else has its name. */
export function readCurrent({ current }: DeploymentPlace): string | null {
  const stat = lstatSync(current, { throwIfNoEntry: false });
  if (!stat) return null;
  if (stat.isSymbolicLink()) return readlinkSync(current);
  throw new LamplighterError('refused', `read ${current}: it is not a symbolic link`, {
    hint: `Move it aside: Lamplighter puts a link to the live release there.`,
  });
}

/** Points the link at a target in one step, or removes it. */
export function pointCurrent({ current }: DeploymentPlace, target: string | null): void {
  if (target === null) return rmSync(current, { force: true });
  const beside = `${current}.lamplighter`;
  rmSync(beside, { force: true });
  symlinkSync(target, beside);
  renameDurably(beside, current);
}

/** The release that a link's target is; undefined when the target is something else. */
export function releaseAt(place: DeploymentPlace, target: string | null): ReleaseId | undefined {
  if (target === null || dirname(target) !== place.releases) return undefined;
  return ReleaseId.safeParse(target.slice(place.releases.length + 1)).data;
}
