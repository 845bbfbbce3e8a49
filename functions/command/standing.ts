// Whether an actor may have this command signed now: its token may have been revoked, its webhook taken out of the
// runbook, since the command was asked for.

import type { Actor } from '#shared/command/envelope.ts';
import { lookUp } from '#shared/look-up.ts';
import type { OperationDefinition } from '#shared/operations/definition.ts';
import { isRoleAtLeast, type Role, roleNeededFor } from '#shared/role.ts';
import type { Runbook } from '#shared/runbook/schema.ts';
import type { Queryable } from '../store/database.ts';
import { findTokenByName } from '../store/tokens.ts';
import { scopeFault } from '../token/scope.ts';
import { matchWebhookParams } from '../webhook/params.ts';

export type Standing = { allowed: true; actor: Actor } | { allowed: false; reason: string };

export interface StandingQuestion {
  actor: Actor;
  definition: OperationDefinition;
  params: Record<string, unknown>;
  runbook: Runbook;
  host: string;
  now: Date;
}

function refuse(reason: string): Standing {
  return { allowed: false, reason };
}

/** Allowed with this role, if the role covers the operation's risk. */
function withRole(role: Role, { actor, definition }: StandingQuestion): Standing {
  const needed = roleNeededFor(definition);
  if (!isRoleAtLeast(role, needed)) return refuse(`role ${role} may not ask for ${definition.name}`);
  return { allowed: true, actor: { ...actor, role } };
}

async function tokenStanding(db: Queryable, question: StandingQuestion): Promise<Standing> {
  if (question.definition.name === 'alert.append')
    return refuse('alerts are appended by their channel alone');
  const { actor, definition, host, now } = question;
  const token = await findTokenByName(db, actor.name, now);
  if (!token) return refuse(`token ${actor.name} was revoked or has expired`);
  const fault = scopeFault(token, { operation: definition.name, host });
  return fault === undefined ? withRole(token.role, question) : refuse(`token ${actor.name}: ${fault}`);
}

function webhookStanding(question: StandingQuestion): Standing {
  const { actor, definition, params, runbook } = question;
  const webhook = lookUp(runbook.webhooks, actor.name);
  if (!webhook) return refuse(`the runbook has no webhook ${actor.name}`);
  if (webhook.operation !== definition.name)
    return refuse(`webhook ${actor.name} is bound to ${webhook.operation}`);
  if (definition.isInternal || definition.risk === 'destructive')
    return refuse(`no webhook may ask for ${definition.name}`);
  const match = matchWebhookParams(webhook, params);
  return match.ok ? withRole(webhook.role, question) : refuse(match.reason);
}

/** The runbook's own jobs: so far, the nightly backup. */
function scheduleStanding(question: StandingQuestion): Standing {
  const { definition, runbook } = question;
  const isOwnJob = definition.name === 'backup.run' && runbook.backup !== undefined;
  return isOwnJob ? withRole('operator', question) : refuse(`the runbook schedules no ${definition.name}`);
}

function channelStanding(question: StandingQuestion): Standing {
  const { actor, definition, params, runbook } = question;
  const isOwnChannel = definition.name === 'alert.append' && params.channel === actor.name;
  if (!isOwnChannel) return refuse(`channel ${actor.name} may only append its own alerts`);
  if (lookUp(runbook.channels, actor.name)?.kind !== 'jsonl')
    return refuse(`the runbook has no jsonl channel ${actor.name}`);
  return withRole('responder', question);
}

/** What the actor may do now, with the role that it has now. */
export async function judgeStanding(db: Queryable, question: StandingQuestion): Promise<Standing> {
  switch (question.actor.kind) {
    case 'token':
      return await tokenStanding(db, question);
    case 'webhook':
      return webhookStanding(question);
    case 'schedule':
      return scheduleStanding(question);
    case 'channel':
      return channelStanding(question);
  }
}
