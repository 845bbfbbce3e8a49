// The demo's runbook and policy, which are also the examples of README, with the names and places that the host on this
// machine really has: its address, ports and paths, the unit of its PostgreSQL, this home's own age recipient.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Document, parseDocument, visit } from 'yaml';
import type { HostMachine } from '#local/demo/host/host-machine.ts';
import { baseOf } from '#local/demo/platform/base.ts';
import { PORTS } from '#local/demo/platform/files.ts';

const DEMO = join(import.meta.dirname, '..', 'demo');
const EXAMPLE_POSTGRES_UNIT = 'postgresql@15-main.service';
/** Paths of the host begin with one of these. */
const HOST_PATH = /^\/(opt|etc|var)\//;

type Place = Pick<HostMachine, 'kind' | 'address' | 'path' | 'port'>;

function readDemo(name: string): Document {
  return parseDocument(readFileSync(join(DEMO, name), 'utf8'));
}

/** Replaces every path and the database's unit by those of this host. */
function place(document: Document, host: Place): void {
  const unit = baseOf(host).postgresUnit();
  visit(document, {
    Scalar: (_key, node) => {
      if (node.value === EXAMPLE_POSTGRES_UNIT) node.value = unit;
      if (typeof node.value === 'string' && HOST_PATH.test(node.value)) node.value = host.path(node.value);
    },
  });
}

/** The demo's runbook for a host. */
export function demoRunbook(host: Place): string {
  const runbook = readDemo('runbook.yaml');
  place(runbook, host);
  const [web, proxy, postgres] = [PORTS.web, PORTS.proxy, PORTS.postgres].map((port) => host.port(port));
  runbook.setIn(['hosts', 'web-1', 'address'], host.address);
  runbook.setIn(['services', 'web', 'port'], web);
  runbook.setIn(['services', 'web', 'health', 'http', 'port'], web);
  for (const [service, port] of [
    ['postgres', postgres],
    ['nginx', proxy],
  ] as const) {
    runbook.setIn(['services', service, 'port'], port);
    runbook.setIn(['services', service, 'health', 'tcp', 'port'], port);
  }
  const authority = proxy === 80 ? '{address}' : `{address}:${proxy}`;
  runbook.setIn(['checks', 'engines-api', 'http', 'url'], `http://${authority}/api/engines`);
  runbook.setIn(['checks', 'proxy-port', 'tcp', 'port'], proxy);
  return String(runbook);
}

/** The demo's policy for a host; roles and configuration are encrypted to `ageRecipient`, `relay` is where live logs go. */
export function demoPolicy(host: Place, ageRecipient: string, relay: string): string {
  const policy = readDemo('policy.yaml');
  place(policy, host);
  policy.setIn(['configTests', 'nginx.service'], baseOf(host).nginxTest(host));
  policy.setIn(['databases', 'analytics', 'port'], host.port(PORTS.postgres));
  policy.setIn(['deployments', 'engines', 'environment', 'PGPORT'], String(host.port(PORTS.postgres)));
  policy.setIn(['backup', 'recipients'], [ageRecipient]);
  for (const [i, port] of [PORTS.web, PORTS.postgres, PORTS.proxy].entries())
    policy.setIn(['healthChecks', i, 'port'], host.port(port));
  policy.setIn(['relays'], [relay]);
  return String(policy);
}
