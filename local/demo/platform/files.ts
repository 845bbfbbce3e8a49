// The demo product's files on its host: units, nginx, environment. Texts only; install.ts writes them.
import type { HostMachine } from '#local/demo/host/host-machine.ts';

type Place = Pick<HostMachine, 'kind' | 'path' | 'port'>;

/** On a network of its own a host listens everywhere; on this machine's, nobody else shall see it. */
function listenAddress({ kind }: Place): string {
  return kind === 'systemd' ? '0.0.0.0' : '127.0.0.1';
}

/** The three app services by the last part of their unit's name. */
export const APPS = ['web', 'orchestrator', 'intake'] as const;

/** The ports of the product on a host of its own. */
export const PORTS = { web: 8080, proxy: 80, postgres: 5432 } as const;

/** A unit of the demo product. */
export function appUnit(app: (typeof APPS)[number], postgresUnit: string, host: Place): string {
  const { path, port } = host;
  return `[Unit]
Description=Demo platform: ${app}
After=network.target ${postgresUnit}
Wants=${postgresUnit}

[Service]
User=app
WorkingDirectory=${path('/opt/app')}
Environment=PGHOST=${path('/var/run/postgresql')} PGPORT=${port(PORTS.postgres)} LISTEN=${listenAddress(host)} PORT=${port(PORTS.web)}
EnvironmentFile=${path('/opt/app/.env')}
ExecStart=${path('/opt/app/bin/node')} ${path(`/opt/app/current/${app}.mjs`)}
Restart=on-failure
RestartSec=1
# Killed hard (as by the kernel when memory runs out) it stays down, so that somebody looks.
RestartPreventExitStatus=SIGKILL
NoNewPrivileges=yes
ProtectSystem=full
PrivateTmp=yes

[Install]
WantedBy=multi-user.target
`;
}

/** nginx in front of app-web. */
export function nginxSite(host: Place): string {
  const { path, port } = host;
  return `server {
    listen ${listenAddress(host)}:${port(PORTS.proxy)} default_server;
    server_name _;
    access_log ${path('/var/log/nginx/app.access.log')};
    location / {
        proxy_pass http://127.0.0.1:${port(PORTS.web)};
        proxy_connect_timeout 2s;
        proxy_read_timeout 30s;
    }
}
`;
}

export const ENVIRONMENT = `# Settings of the demo product
NODE_ENV=production
SESSION_KEY=not-a-real-secret-but-treated-as-one
`;
