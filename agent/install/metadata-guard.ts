// The guard of the VM's cloud identity: only root and the two accounts that need the identity reach the metadata server.
// The installer sets it when it is asked to (--guard-metadata), because a product that uses the VM's identity would break.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { LamplighterError } from '#shared/errors.ts';
import { writeDurably } from '#shared/kit/durable-file.ts';
import { HAS_ACCOUNTS, PATHS } from '../config/paths.ts';
import { AGENT_ACCOUNT, findAccount, uploadAccount } from '../host/accounts.ts';
import { type Account, runChecked, runProgram } from '../host/process.ts';

const TIMEOUT_MS = 60_000;
const NFT = { file: PATHS.nft, timeoutMs: TIMEOUT_MS };
const TABLE = 'inet lamplighter';
/** cloud.google.com/compute/docs/metadata/overview: http is on port 80, https on 443. */
const ADDRESSES = { ip: '169.254.169.254', ip6: 'fd20:ce::254' } as const;
export const GUARD_UNIT = 'lamplighter-metadata-guard.service';

/**
 * The rules as nft reads them: loading them twice is as loading them once. DNS (53), DHCP (67) and NTP (123) of Google's VMs
 * have the same address and stay open. A connection is judged by who opens it: the kernel's later packets for a closed
 * socket have no owner. Forwarded packets come from containers and virtual machines, and have none either.
 */
export function writeGuardRules(allowed: readonly Pick<Account, 'uid'>[]): string {
  const reject = Object.entries(ADDRESSES).map(
    ([family, address]) =>
      `    ${family} daddr ${address} tcp dport { 80, 443 } tcp flags & (fin | syn | rst | ack) == syn reject with tcp reset`,
  );
  const uids = [...new Set([0, ...allowed.map(({ uid }) => uid)])];
  return `# Written by Lamplighter's installer (--guard-metadata).
table ${TABLE}
delete table ${TABLE}
table ${TABLE} {
  chain own {
    type filter hook output priority filter; policy accept;
    meta skuid { ${uids.join(', ')} } accept
${reject.join('\n')}
  }
  chain forwarded {
    type filter hook forward priority filter; policy accept;
${reject.join('\n')}
  }
}
`;
}

/**
 * Ordered as Debian's nftables.service is, which empties the whole rule set when it starts and when it reloads. Stopping it
 * leaves the rules, so that starting it again, at each update, opens nothing meanwhile.
 */
const UNIT = `[Unit]
Description=Lamplighter: only root and the agent's accounts reach the cloud's metadata server
DefaultDependencies=no
After=local-fs.target nftables.service
Wants=network-pre.target
Before=network-pre.target lamplighter-agent.service shutdown.target
Conflicts=shutdown.target
PartOf=nftables.service
ReloadPropagatedFrom=nftables.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=${PATHS.nft} --file ${PATHS.metadataGuard}
ExecReload=${PATHS.nft} --file ${PATHS.metadataGuard}
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
CapabilityBoundingSet=CAP_NET_ADMIN
RestrictAddressFamilies=AF_UNIX AF_NETLINK
SystemCallArchitectures=native

[Install]
WantedBy=multi-user.target
`;

/** What a person asked for; without either option a host keeps what it has. */
export function isGuardWanted(asked: boolean | undefined): boolean {
  return asked ?? existsSync(PATHS.metadataGuard);
}

/** Throws `refused` where no guard can be set, before anything is installed. */
export async function requireGuardTools(): Promise<void> {
  const hint = 'Install the package nftables, or leave out --guard-metadata.';
  if (!HAS_ACCOUNTS)
    throw new LamplighterError('refused', 'guard metadata server: this host has one account only', { hint });
  if (!existsSync(PATHS.nft))
    throw new LamplighterError('refused', `guard metadata server: ${PATHS.nft} is missing`, { hint });
  const { code, stderr } = await runProgram({
    ...NFT,
    args: ['--check', '--file', '-'],
    input: writeGuardRules([]),
  });
  if (code !== 0)
    throw new LamplighterError(
      'refused',
      `guard metadata server: the kernel does not accept the rules: ${stderr.trim()}`,
      {
        hint: 'Leave out --guard-metadata.',
      },
    );
}

/** Writes the rules for the accounts that are there, loads them, and has them loaded at each boot before the network is up. */
export async function setGuard(): Promise<void> {
  const rules = writeGuardRules([await findAccount(AGENT_ACCOUNT), await uploadAccount()]);
  await runChecked({ ...NFT, args: ['--check', '--file', '-'], input: rules });
  writeDurably(PATHS.metadataGuard, rules, 0o644);
  writeDurably(join(PATHS.units, GUARD_UNIT), UNIT, 0o644);
  await systemctl('daemon-reload');
  await systemctl('enable', '--quiet', GUARD_UNIT);
  await systemctl('restart', GUARD_UNIT);
}

/**
 * Removes the guard, where there is one; where nft is missing, warns of what is left for a person to do. Throws what nft said
 * when its rules could not be removed.
 */
export async function removeGuard(warn: (text: string) => void): Promise<void> {
  if (!existsSync(join(PATHS.units, GUARD_UNIT))) return;
  await runProgram({ file: PATHS.systemctl, args: ['disable', '--now', GUARD_UNIT], timeoutMs: TIMEOUT_MS });
  // The table is made first, as in the rules, so that a missing table is no error.
  const input = `table ${TABLE}\ndelete table ${TABLE}\n`;
  const hasNft = existsSync(PATHS.nft);
  if (hasNft) await runChecked({ ...NFT, args: ['--file', '-'], input });
  // Before the files go: the next run finds no guard, and warns no more.
  if (!hasNft) warn(RULES_STAY);
  for (const file of [join(PATHS.units, GUARD_UNIT), PATHS.metadataGuard]) rmSync(file, { force: true });
  await systemctl('daemon-reload');
}

const RULES_STAY = `Warning: the guard of the metadata server is removed, but its rules stay until the next boot, because ${PATHS.nft} is missing. Reboot, or install the package nftables and run: nft delete table ${TABLE}`;

async function systemctl(...args: string[]): Promise<void> {
  await runChecked({ file: PATHS.systemctl, args, timeoutMs: TIMEOUT_MS });
}

/** Google's VMs say so (cloud.google.com/compute/docs/instances/detect-compute-engine). */
function isOnGoogle(): boolean {
  const file = '/sys/class/dmi/id/product_name';
  return existsSync(file) && readFileSync(file, 'utf8').trim() === 'Google Compute Engine';
}

/** One sentence on who can take the VM's cloud identity; undefined where there is nothing to say. */
export function tellGuard(isSet: boolean, onGoogle = isOnGoogle()): string | undefined {
  if (isSet)
    return 'Only root and the accounts of Lamplighter reach the metadata server (--no-guard-metadata removes this rule).';
  if (!onGoogle) return undefined;
  return "Every process on this VM can take the VM's cloud identity from the metadata server. If no other program needs that identity, run the installer again with --guard-metadata.";
}
