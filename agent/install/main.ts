// The installer: makes a VM a Lamplighter host, or brings one up to date. Idempotent; root only.
import { dirname, join } from 'node:path';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import { HostName } from '#shared/names.ts';
import { parseOptions } from '#shared/options.ts';
import { describeFaults } from '#shared/plain-issue.ts';
import { HAS_ACCOUNTS, PATHS } from '../config/paths.ts';
import { AGENT_ACCOUNT, ensureAccounts, findAccount, uploadAccount } from '../host/accounts.ts';
import { MIN_SERVER_MAJOR } from '../host/postgres-programs.ts';
import { runChecked, runProgram } from '../host/process.ts';
import { loadPolicy } from '../policy/load.ts';
import { type CheckedFile, readRelease } from '../release/manifest.ts';
import { checkServers } from './databases.ts';
import { writeEnrolment } from './enrolment.ts';
import {
  ensureKeys,
  installGoogleCredentials,
  installPolicy,
  installPrograms,
  makeDirectories,
  pinKeys,
  pinReleaseKey,
  readReleaseKeys,
  removeFiles,
  requireOwnPlaces,
  writeSettings,
  writeUnits,
} from './files.ts';
import { tellKept } from './kept.ts';
import { isGuardWanted, removeGuard, requireGuardTools, setGuard, tellGuard } from './metadata-guard.ts';
import { ALL_SLICES, STARTED_UNITS } from './units.ts';

const HELP = `Usage: bin/node lib/install.mjs --host NAME --project ID --pinned-key FILE [options]

Installs the Lamplighter agent and runner on this machine, or brings them up to date. Every database that the policy names
must be on PostgreSQL ${MIN_SERVER_MAJOR} or newer.

  --host NAME         this machine's name in runbook.yaml
  --project ID        the Google Cloud project of the control plane
  --pinned-key FILE   public key of the control plane (PEM); give it twice while keys are rotated
  --google-credentials FILE
                      key of a service account, or configuration of workload identity federation, for a VM that is not on
                      Google or has narrow scopes
  --release-key FILE  public key that signs the archives. The host keeps it: every later archive must be signed with it
  --from DIR          the unpacked archive to install (default: the archive that this installer is in)
  --policy FILE       install this file as /etc/lamplighter/policy.yaml (default: keep the policy that is there)
  --env KEY=VALUE     a line of agent.env, e.g. to reach an emulator; can be repeated
  --guard-metadata    let only root and Lamplighter's accounts reach the metadata server, which gives out the VM's cloud
                      identity. Needs nftables. Other programs on this machine can't use the identity any more
  --no-guard-metadata take that rule away again. With neither option the machine keeps what it has
  --json              print the host's signed enrolment as one line of JSON
  --uninstall         stop and remove programs, settings and the host's keys, and print what stays
  --help              print this text
`;

const TIMEOUT_MS = 60_000;

async function systemctl(...args: string[]): Promise<void> {
  await runChecked({ file: PATHS.systemctl, args, timeoutMs: TIMEOUT_MS });
}

const OPTIONS = {
  host: { type: 'string' },
  project: { type: 'string' },
  'pinned-key': { type: 'string', multiple: true },
  'google-credentials': { type: 'string' },
  'release-key': { type: 'string' },
  from: { type: 'string' },
  policy: { type: 'string' },
  env: { type: 'string', multiple: true },
  'guard-metadata': { type: 'boolean' },
  json: { type: 'boolean', default: false },
  uninstall: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

function need(name: string, value: string | undefined): string {
  if (value !== undefined && value !== '') return value;
  throw new LamplighterError('invalid-input', `read options: --${name} is missing`, { hint: 'See --help.' });
}

function checkEnvironment(lines: readonly string[]): void {
  const wrong = lines.find((line) => !/^[A-Z_][A-Z0-9_]*=[^\n]*$/.test(line));
  if (wrong === undefined) return;
  const hint = 'Give one KEY=VALUE for each --env, with KEY in capitals.';
  throw new LamplighterError('invalid-input', `read --env ${wrong}: not KEY=VALUE`, { hint });
}

/** On stderr: a program may read stdout. */
function warn(text: string): void {
  console.error(`${text}\n`);
}

async function uninstall(): Promise<void> {
  for (const unit of STARTED_UNITS.toReversed()) {
    await runProgram({ file: PATHS.systemctl, args: ['disable', '--now', unit], timeoutMs: TIMEOUT_MS });
  }
  await runProgram({ file: PATHS.systemctl, args: ['stop', ALL_SLICES], timeoutMs: TIMEOUT_MS });
  await removeGuard(warn);
  removeFiles();
  await systemctl('daemon-reload');
  console.log(tellKept(dirname(PATHS.config), dirname(PATHS.runs)));
}

/** The archive's files, all checked before anything is written. */
function readPrograms(dir: string, releaseKey: string | undefined): readonly CheckedFile[] {
  const { manifest, files } = readRelease(dir, readReleaseKeys(releaseKey));
  const own = `${process.platform}-${process.arch}`;
  if (manifest.platform === own) return files;
  throw new LamplighterError(
    'refused',
    `install agent: the archive is for ${manifest.platform}, this machine is ${own}`,
    { hint: `Use the archive for ${own}.` },
  );
}

function readHostName(given: string): HostName {
  const parsed = HostName.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new LamplighterError(
    'invalid-input',
    `install agent: ${describeFaults(parsed.error, `--host ${given}`)}`,
  );
}

async function install(values: ReturnType<typeof parse>): Promise<void> {
  const host = readHostName(need('host', values.host));
  const projectId = need('project', values.project);
  const pinned = values['pinned-key'] ?? [];
  need('pinned-key', pinned[0]);
  const environment = values.env ?? [];
  checkEnvironment(environment);
  requireOwnPlaces();
  const isGuarded = isGuardWanted(values['guard-metadata']);
  if (isGuarded) await requireGuardTools();
  const { policy } = loadPolicy(values.policy ?? PATHS.policy, host);
  await checkServers(policy.databases, (line) => console.error(line));
  const programs = readPrograms(values.from ?? join(import.meta.dirname, '..'), values['release-key']);
  await ensureAccounts();
  const { gid } = await findAccount(AGENT_ACCOUNT);
  makeDirectories(gid);
  installPolicy(values.policy, host);
  pinKeys(pinned);
  const googleCredentials = values['google-credentials'];
  if (googleCredentials !== undefined)
    installGoogleCredentials(googleCredentials, (await uploadAccount()).gid);
  const keys = ensureKeys();
  writeSettings({ host, projectId, environment });
  if (values['release-key'] !== undefined) pinReleaseKey(values['release-key']);
  installPrograms(programs);
  writeUnits();
  if (isGuarded) await setGuard();
  else await removeGuard(warn);
  await systemctl('daemon-reload');
  await systemctl('enable', '--quiet', ...STARTED_UNITS);
  const timers = ['lamplighter-recover.timer', 'lamplighter-upload.timer'];
  await systemctl('start', 'lamplighter-run.socket', 'lamplighter-read.socket', ...timers);
  await systemctl('restart', 'lamplighter-agent.service');
  const told = tellGuard(isGuarded);
  if (told !== undefined) warn(told);
  const enrolment = JSON.stringify(await writeEnrolment(host, keys));
  if (values.json) console.log(enrolment);
  else explain(host, enrolment);
}

function explain(host: string, enrolment: string): void {
  console.log(
    `The agent runs on ${host}. Enrol it with an admin's token, in bash; its keys have signed what is sent:\n`,
  );
  // The accounts of the platform can read the list of processes with their arguments: the token goes through a pipe.
  const token = `-H @<(printf 'Authorization: Bearer %s\\n' "$LAMP_TOKEN")`;
  console.log(`  curl -X PUT "$LAMP_URL/v1/hosts/${host}" ${token} \\`);
  console.log(`    -H 'Content-Type: application/json' -d '${enrolment}'`);
}

function parse() {
  return parseOptions({ options: OPTIONS, allowNegative: true }, 'See --help.').values;
}

try {
  const values = parse();
  if (values.help) console.log(HELP);
  else if (HAS_ACCOUNTS && process.getuid?.() !== 0)
    throw new LamplighterError('not-allowed', 'install agent: root alone can do this', {
      hint: 'Run the installer again with sudo.',
    });
  else if (values.uninstall) await uninstall();
  else await install(values);
} catch (error) {
  console.error(messageOf(error));
  if (error instanceof LamplighterError && error.hint) console.error(error.hint);
  process.exitCode = error instanceof LamplighterError && error.code !== 'invalid-input' ? 1 : 2;
}
