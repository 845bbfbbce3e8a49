// Looks at a check's target once, whatever kind it is. A new kind: a file beside this and a line here.
import type { Check } from '#shared/runbook/schema.ts';
import { probeHttp } from './http.ts';
import { probeTcp } from './tcp.ts';
import type { Finding } from './verdict.ts';

/** One look at a target; never rejects. */
export type Probe = (check: Check, address: string, timeoutMs: number) => Promise<Finding>;

export const probe: Probe = (check, address, timeoutMs) =>
  'http' in check
    ? probeHttp({ address, check: check.http, timeoutMs })
    : probeTcp({ address, port: check.tcp.port, timeoutMs });
