// The systemd units of agent, runner and reader, as texts. Their exposure by `systemd-analyze security` is kept low.
import { PATHS } from '../config/paths.ts';

const NODE = `${PATHS.program}/bin/node --no-deprecation --disable-warning=ExperimentalWarning`;
const LIB = `${PATHS.program}/lib`;

/** What both units are denied. Memory that is writable and executable stays allowed: Node's compiler needs it. */
const SANDBOX = `NoNewPrivileges=yes
PrivateTmp=yes
PrivateMounts=yes
ProtectClock=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictNamespaces=yes
SystemCallArchitectures=native`;

/** What root's units can still be denied: they write state, backups and logs, act on units, and change accounts. */
const ROOT_SANDBOX = `ProtectSystem=full
ProtectHome=read-only
PrivateDevices=yes
DevicePolicy=closed
ProtectControlGroups=yes
ProtectHostname=yes
RestrictSUIDSGID=yes
RemoveIPC=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
SystemCallFilter=@system-service
SystemCallFilter=~@resources
SystemCallErrorNumber=EPERM`;

const AGENT = `[Unit]
Description=Lamplighter agent
After=network-online.target lamplighter-recover.service
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
User=lamplighter
Group=lamplighter
# The agent keeps little for long: a small young generation lowers its memory by a fifth.
ExecStart=${NODE} --max-semi-space-size=1 ${LIB}/agent.mjs --config ${PATHS.config}
EnvironmentFile=-${PATHS.environment}
LoadCredential=agent.key:${PATHS.agentKey}
StateDirectory=lamplighter/agent
StateDirectoryMode=0700
Restart=always
RestartSec=1
TimeoutStopSec=15
MemoryMax=512M
TasksMax=64
${SANDBOX}
UMask=0077
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=yes
PrivateDevices=yes
DevicePolicy=closed
ProtectHostname=yes
ProtectControlGroups=yes
ProtectProc=invisible
RemoveIPC=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
`;

/**
 * Not ordered after the recovery, unlike the agent: sockets start before basic.target and services after it, so systemd would
 * break the circle by leaving out one of the two.
 */
const SOCKET = `[Unit]
Description=Lamplighter runner's socket

[Socket]
ListenStream=${PATHS.socket}
SocketUser=root
SocketGroup=lamplighter
SocketMode=0660
DirectoryMode=0755
Accept=yes
# Each connection starts a process of root's before any signature is checked.
MaxConnections=8

[Install]
WantedBy=sockets.target
`;

/**
 * Runners have no bound of memory: a restore's pg_restore, or PostgreSQL's dump, runs in their control group, and a bound would
 * kill it in the middle. Node's own is bounded instead, and nothing of it is spared before PostgreSQL when memory runs out.
 */
const RUN_SLICE = `[Unit]
Description=Lamplighter's runners

[Slice]
CPUWeight=50
`;

const RUNNER = `[Unit]
Description=Lamplighter runner %i
CollectMode=inactive-or-failed
# A kill of the whole control group may also kill ExecStopPost=: newer kernels go on killing what is started there. An agent
# that starts during this recovery waits for it, as at boot.
OnFailure=lamplighter-recover.service

[Service]
Slice=lamplighter-run.slice
ExecStart=${NODE} --max-old-space-size=384 ${LIB}/runner.mjs run --instance %i
# When the runner ended without a report, this brings its command to an end.
ExecStopPost=${NODE} ${LIB}/runner.mjs recover --instance %i
EnvironmentFile=-${PATHS.environment}
StandardInput=socket
StandardOutput=journal
StandardError=journal
# A restore may take hours; each command has a time limit of its own.
TimeoutStartSec=infinity
# A recovery that takes longer is stopped; lamplighter-recover.timer starts it again.
TimeoutStopSec=30min
KillMode=control-group
TasksMax=256
${SANDBOX}
# The agent's group reads the runs' folders to follow them.
UMask=0027
${ROOT_SANDBOX}
# Steps change to the accounts of postgres and of the uploader, and read the files that these own. A test of nginx's
# configuration binds its ports. A clean-up must see in /proc which files other accounts have open, which is all that
# CAP_SYS_PTRACE gives here: the system calls that trace a process stay denied.
CapabilityBoundingSet=CAP_NET_BIND_SERVICE CAP_SETUID CAP_SETGID CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_CHOWN CAP_FOWNER CAP_KILL CAP_SYS_PTRACE
`;

const READER_SOCKET = `[Unit]
Description=Lamplighter journal reader's socket

[Socket]
ListenStream=${PATHS.readerSocket}
SocketUser=root
SocketGroup=lamplighter
SocketMode=0660
DirectoryMode=0755
Accept=yes
# The agent opens eight at once, while earlier ones may still be ending. The slice limits all of them together.
MaxConnections=16

[Install]
WantedBy=sockets.target
`;

/**
 * An attacker with the agent's account can replay a signed reading any number of times, so this slice limits all readings
 * together.
 */
const READ_SLICE = `[Unit]
Description=Lamplighter's journal readers

[Slice]
MemoryMax=768M
TasksMax=256
CPUWeight=50
`;

/** Reads any file, writes none, reaches no network: what it knows can leave it through its socket alone, redacted. */
const READER = `[Unit]
Description=Lamplighter journal reader %i
CollectMode=inactive-or-failed

[Service]
Slice=lamplighter-read.slice
DynamicUser=yes
User=lamplighter-read
ExecStart=${NODE} --max-semi-space-size=1 ${LIB}/reader.mjs
EnvironmentFile=-${PATHS.environment}
StandardInput=socket
StandardOutput=journal
StandardError=journal
# Longer than a log may be followed.
RuntimeMaxSec=65min
TimeoutStopSec=5
MemoryMax=256M
TasksMax=32
${SANDBOX}
UMask=0077
CapabilityBoundingSet=CAP_DAC_READ_SEARCH
AmbientCapabilities=CAP_DAC_READ_SEARCH
InaccessiblePaths=-${PATHS.runnerKey} -${PATHS.agentKey} -${PATHS.ageIdentity} -${PATHS.ageIdentities}
ProtectSystem=strict
ProtectHome=read-only
PrivateDevices=yes
PrivateNetwork=yes
IPAddressDeny=any
DevicePolicy=closed
ProtectHostname=yes
ProtectControlGroups=yes
ProtectProc=invisible
RemoveIPC=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
`;

const RECOVER = `[Unit]
Description=Lamplighter: bring commands that a crash cut short to an end
After=local-fs.target postgresql.service
Before=lamplighter-agent.service

[Service]
Type=oneshot
ExecStart=${NODE} ${LIB}/runner.mjs recover --all
EnvironmentFile=-${PATHS.environment}
TimeoutStartSec=6h
${SANDBOX}
UMask=0027
${ROOT_SANDBOX}
CapabilityBoundingSet=CAP_SETUID CAP_SETGID CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_CHOWN CAP_FOWNER CAP_KILL CAP_SYS_PTRACE

[Install]
WantedBy=multi-user.target
`;

/** The timer of a service that looks whether something was left behind. */
function lookAgain(description: string): string {
  return `[Unit]
Description=${description}

[Timer]
OnBootSec=5min
OnUnitInactiveSec=10min

[Install]
WantedBy=timers.target
`;
}

const RECOVER_TIMER = lookAgain('Lamplighter: look for commands whose runner is gone');

/** A unit of its own: an upload that takes hours must not keep the recovery from its work. */
const UPLOAD = `[Unit]
Description=Lamplighter: upload backups that could not be uploaded before
After=network-online.target
Wants=network-online.target

[Service]
Type=oneshot
Slice=lamplighter-run.slice
ExecStart=${NODE} --max-old-space-size=384 ${LIB}/runner.mjs upload
EnvironmentFile=-${PATHS.environment}
TimeoutStartSec=370min
${SANDBOX}
UMask=0027
${ROOT_SANDBOX}
CapabilityBoundingSet=CAP_SETUID CAP_SETGID CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_CHOWN CAP_FOWNER CAP_KILL
`;

const UPLOAD_TIMER = lookAgain('Lamplighter: look for backups that are not uploaded');

/** Unit files by name. */
export const UNITS: Readonly<Record<string, string>> = {
  'lamplighter-agent.service': AGENT,
  'lamplighter-run.socket': SOCKET,
  'lamplighter-run.slice': RUN_SLICE,
  'lamplighter-run@.service': RUNNER,
  'lamplighter-read.socket': READER_SOCKET,
  'lamplighter-read.slice': READ_SLICE,
  'lamplighter-read@.service': READER,
  'lamplighter-recover.service': RECOVER,
  'lamplighter-recover.timer': RECOVER_TIMER,
  'lamplighter-upload.service': UPLOAD,
  'lamplighter-upload.timer': UPLOAD_TIMER,
};

/** The agent's unit with Google credentials from a file of root's. */
export function withGoogleCredentials(unit: string): string {
  const line = `LoadCredential=google-credentials.json:${PATHS.googleCredentials}`;
  return unit.replace(/^LoadCredential=.*$/m, (first) => `${first}\n${line}`);
}

/** The parent that systemd makes of the slices, by the dash in their names; with it stops whatever runs in them. */
export const ALL_SLICES = 'lamplighter.slice';

/** Units that are enabled and started. */
export const STARTED_UNITS = [
  'lamplighter-recover.service',
  'lamplighter-recover.timer',
  'lamplighter-upload.timer',
  'lamplighter-run.socket',
  'lamplighter-read.socket',
  'lamplighter-agent.service',
] as const;
