// The agent's own settings, /etc/lamplighter/agent.yaml: the host's name, and its topics in Pub/Sub.

import type { KeyObject } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import * as z from 'zod';
import { LamplighterError } from '#shared/errors.ts';
import { HostName } from '#shared/names.ts';
import { describeThrown } from '#shared/plain-issue.ts';
import { parsePublicKey } from '#shared/signing/dsse.ts';
import { REPORTS_TOPIC } from '#shared/topology.ts';

export const AgentConfig = z.strictObject({
  host: HostName,
  projectId: z.string().min(1),
  subscription: z.string().min(1),
  reportsTopic: z.string().default(REPORTS_TOPIC),
  heartbeatEveryMs: z.int().min(1000).default(30_000),
});
export type AgentConfig = z.infer<typeof AgentConfig>;

/** Reads the settings. Throws `invalid-input` with the file's name and what is wrong. */
export function readConfig(file: string): AgentConfig {
  try {
    return AgentConfig.parse(parse(readFileSync(file, 'utf8')));
  } catch (cause) {
    throw new LamplighterError(
      'invalid-input',
      `read settings ${file}: ${describeThrown(cause, 'the file')}`,
      { hint: 'Correct the file, or let the installer write a new one (lib/install.mjs --help).', cause },
    );
  }
}

const MAX_PINNED_KEYS = 2;

/** The control plane's public keys that root pinned: one, or two while one replaces the other. */
export function readPinnedKeys(dir: string): KeyObject[] {
  const files = readdirSync(dir).filter((name) => name.endsWith('.pem'));
  if (files.length === 0 || files.length > MAX_PINNED_KEYS) {
    throw new LamplighterError(
      'invalid-input',
      `read pinned keys ${dir}: it holds ${files.length} keys (*.pem), expected 1 or 2`,
      { hint: "Put the control plane's public key there; during a rotation, the old one and the new one." },
    );
  }
  return files.map((name) => parsePublicKey(readFileSync(join(dir, name), 'utf8')));
}
