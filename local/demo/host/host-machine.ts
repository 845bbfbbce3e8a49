// What the stack needs of a host, whichever kind this machine can give.
import type { ChildProcess } from 'node:child_process';
import type { RunOptions, RunResult } from './run-program.ts';

export interface RunAs extends RunOptions {
  /** Account on the host; default root. Without effect on a supervised host, which has one. */
  user?: string;
}

export interface HostMachine {
  /** With its own systemd, network and accounts; or a directory under the small supervisor, with none of them. */
  readonly kind: 'systemd' | 'supervised';
  readonly name: string;
  /** A path of the host as programs on it must name it. */
  path(path: string): string;
  /** The port under which the host's port, such as 80, is reached; the same port where the host has its own network. */
  port(port: number): number;
  /** Where the host is reached from outside. */
  readonly address: string;
  /** Our side of its link: what listens here, the host can reach. */
  readonly gatewayAddress: string;
  /** The host's root, seen from outside; changes with each boot. */
  readonly rootPath: string;
  /** PID of the host's systemd, or of the supervisor, seen from outside. */
  readonly pid: number;
  /** Gives files that we wrote to an account of the host, with all below them; a supervised host has but one. */
  giveTo(account: string, paths: readonly string[]): Promise<void>;
  /** Runs a program on the host and waits for it. */
  run(argv: readonly string[], options?: RunAs): Promise<RunResult>;
  /** Starts a program on the host. */
  spawn(argv: readonly string[], options?: { user?: string }): ChildProcess;
  /** Shuts the host down and removes its link; the disk stays. */
  powerOff(): Promise<void>;
}

/** A host with its own systemd: its power and its network cable can be pulled. */
export interface SystemdMachine extends HostMachine {
  /** Pulls the plug (PID 1 is killed, nothing is synced) and boots again from the same disk. */
  reboot(): Promise<void>;
  cutNetwork(): Promise<void>;
  restoreNetwork(): Promise<void>;
}
