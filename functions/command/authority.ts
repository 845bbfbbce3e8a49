// Whether an actor is still allowed to have its command signed. Since the command was asked for, the actor's token may have
// been revoked, or its webhook may have been removed from the runbook.

import type { Actor } from '#shared/command/envelope.ts';
import { lookUp } from '#shared/look-up.ts';
import { mayAsk, type OperationDefinition } from '#shared/operations/definition.ts';
import { isRoleAtLeast, type Role, roleNeededFor } from '#shared/role.ts';
import type { Runbook } from '#shared/runbook/schema.ts';
import type { Queryable } from '../store/database.ts';
import { canonicalJson } from '../store/json.ts';
import { findTokenByName } from '../store/tokens.ts';
import { scopeFault } from '../token/scope.ts';
import { matchWebhookParams } from '../webhook/params.ts';
import { storedParams } from './params.ts';
import { targetFault } from './target.ts';

export type Authority = { allowed: true; actor: Actor } | { allowed: false; reason: string };

export interface AuthorityQuestion {
  actor: Actor;
  definition: OperationDefinition;
  params: Record<string, unknown>;
  runbook: Runbook;
  host: string;
  now: Date;
}

function refuse(reason: string): Authority {
  return { allowed: false, reason };
}

/** Allowed with this role, if the role covers the operation's risk. */
function withRole(role: Role, { actor, definition }: AuthorityQuestion): Authority {
  const needed = roleNeededFor(definition);
  if (!isRoleAtLeast(role, needed))
    return refuse(`role ${role} is not allowed to ask for ${definition.name}`);
  return { allowed: true, actor: { ...actor, role } };
}

async function tokenAuthority(db: Queryable, question: AuthorityQuestion): Promise<Authority> {
  const { actor, definition, host, now } = question;
  const token = await findTokenByName(db, actor.name, now);
  if (!token) return refuse(`token ${actor.name} was revoked or has expired`);
  const fault = definition.actsOn
    ? await targetFault(db, question, token)
    : scopeFault(token, { operation: definition.name, host });
  return fault === undefined ? withRole(token.role, question) : refuse(`token ${actor.name}: ${fault}`);
}

function webhookAuthority(question: AuthorityQuestion): Authority {
  const { actor, definition, params, runbook } = question;
  const webhook = lookUp(runbook.webhooks, actor.name);
  if (!webhook) return refuse(`the runbook has no webhook ${actor.name}`);
  if (webhook.operation !== definition.name)
    return refuse(`webhook ${actor.name} is bound to ${webhook.operation}`);
  const match = matchWebhookParams(webhook, params, (call) => storedParams(definition, call, runbook));
  return match.ok ? withRole(webhook.role, question) : refuse(match.reason);
}

/** A job of the runbook as it is now, with its own parameters. */
function scheduleAuthority(question: AuthorityQuestion): Authority {
  const { actor, definition, params, runbook } = question;
  const isOwnJob = (definition.jobs?.(runbook) ?? []).some(
    (job) =>
      job.name === actor.name &&
      canonicalJson(storedParams(definition, job.params, runbook)) === canonicalJson(params),
  );
  if (isOwnJob) return withRole('operator', question);
  return refuse(`the runbook has no job ${actor.name} with this ${definition.name}`);
}

/** Judges by the runbook and the actor's role as they are now. */
export async function judgeAuthority(db: Queryable, question: AuthorityQuestion): Promise<Authority> {
  const { actor, definition, params } = question;
  if (!mayAsk(definition, actor.kind))
    return refuse(`a ${actor.kind} is not allowed to ask for ${definition.name}`);
  const owner = definition.ownerOf?.(params) ?? actor.name;
  if (owner !== actor.name) return refuse(`only ${owner} is allowed to ask for this ${definition.name}`);
  switch (actor.kind) {
    case 'token':
      return await tokenAuthority(db, question);
    case 'webhook':
      return webhookAuthority(question);
    case 'schedule':
      return scheduleAuthority(question);
    case 'channel':
      return withRole('responder', question);
  }
}
