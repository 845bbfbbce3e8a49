// Which kind of host the demo gets on this machine.
import { detectCapabilities, whyNeverHost } from './capabilities.ts';
import { ensureSystemPackages } from './packages.ts';
import { findMissingPrograms, type HostKind } from './programs.ts';

export interface HostChoice {
  kind: HostKind;
  /** Why it is not a host with its own systemd. */
  why?: string;
}

/**
 * Installs what is missing and allowed, and chooses: a host with its own systemd wherever it can run. Throws
 * `unavailable` with the one message when the programs are missing that any host needs.
 */
export function chooseHost(isSupervisedWanted: boolean): HostChoice {
  const never = isSupervisedWanted ? 'it was asked for so' : whyNeverHost();
  if (never !== undefined) {
    ensureSystemPackages('supervised');
    return { kind: 'supervised', why: never };
  }
  try {
    ensureSystemPackages('systemd');
  } catch (error) {
    if (findMissingPrograms('supervised').length > 0) throw error;
  }
  const { systemdHost } = detectCapabilities();
  return systemdHost === true ? { kind: 'systemd' } : { kind: 'supervised', why: systemdHost };
}
