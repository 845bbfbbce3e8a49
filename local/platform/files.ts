// The demo product's files on its host: units, nginx, environment. Texts only; install.ts writes them.

const NODE = '/opt/app/bin/node';

/** The three app services by the last part of their unit's name. */
export const APPS = ['web', 'orchestrator', 'intake'] as const;

/** A unit of the demo product. */
export function appUnit(app: (typeof APPS)[number], postgresUnit: string): string {
  return `[Unit]
Description=Demo platform: ${app}
After=network.target ${postgresUnit}
Wants=${postgresUnit}

[Service]
User=app
WorkingDirectory=/opt/app
EnvironmentFile=/opt/app/.env
ExecStart=${NODE} /opt/app/current/${app}.mjs
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

export const NGINX_SITE = `server {
    listen 80 default_server;
    server_name _;
    access_log /var/log/nginx/app.access.log;
    location / {
        proxy_pass http://127.0.0.1:8080;
        proxy_connect_timeout 2s;
        proxy_read_timeout 30s;
    }
}
`;

export const ENVIRONMENT = `# Settings of the demo product
NODE_ENV=production
SESSION_KEY=not-a-real-secret-but-treated-as-one
`;
