// Looks at a check's target once. A new kind of check needs a file beside this one and a line here.
import type { Check } from '#shared/runbook/schema.ts';
import { lookHttp } from './http.ts';
import type { LookResult } from './look-result.ts';
import { lookTcp } from './tcp.ts';

/** Never rejects. */
export type LookAtTarget = (check: Check, address: string, timeoutMs: number) => Promise<LookResult>;

export const look: LookAtTarget = (check, address, timeoutMs) =>
  'http' in check
    ? lookHttp({ address, check: check.http, timeoutMs })
    : lookTcp({ address, port: check.tcp.port, timeoutMs });
