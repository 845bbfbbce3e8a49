// The HTTP API as one table. A route is answered in functions/<subject>/routes.ts.
import * as z from 'zod';
import { LiveRequest } from '../live/frames.ts';
import { serviceFollow } from '../operations/logs.ts';
import { roleNeededFor } from '../role.ts';
import { DsseEnvelope } from '../signing/dsse.ts';
import { IncidentState } from '../states.ts';
import { defineRoute, limitParameter } from './route.ts';
import { RunbookFindings, RunbookVersionView } from './runbook-views.ts';
import {
  AlertView,
  AuditView,
  BackupView,
  CancelRequested,
  CheckView,
  CommandDetail,
  CommandRequest,
  CommandRequested,
  CommandView,
  EnrolledHost,
  IncidentView,
  LiveTicket,
  OperationView,
  StatusView,
  TokenView,
} from './views.ts';

/** Every route, by what it does. */
export const ROUTES = {
  readHealth: defineRoute({
    method: 'GET',
    path: '/v1/health',
    role: 'public',
    answer: z.lazy(() => z.object({ ok: z.boolean() })),
  }),
  /** Proven by its own signature. */
  callWebhook: defineRoute({
    method: 'POST',
    path: '/v1/webhooks/:name',
    role: 'public',
    body: z.lazy(() => z.strictObject({ params: z.record(z.string(), z.unknown()).default({}) })),
    status: 202,
    answer: CommandRequested,
  }),
  readStatus: defineRoute({
    method: 'GET',
    path: '/v1/status',
    role: 'viewer',
    answer: StatusView,
  }),
  listOperations: defineRoute({
    method: 'GET',
    path: '/v1/operations',
    role: 'viewer',
    answer: z.lazy(() => z.array(OperationView)),
  }),
  /** What an operation takes is checked where it is asked for, so any token may try. */
  requestCommand: defineRoute({
    method: 'POST',
    path: '/v1/commands',
    role: 'viewer',
    body: CommandRequest,
    status: 202,
    answer: CommandRequested,
  }),
  listCommands: defineRoute({
    method: 'GET',
    path: '/v1/commands',
    role: 'viewer',
    query: z.lazy(() => z.strictObject({ limit: limitParameter(50) })),
    answer: z.lazy(() => z.array(CommandView)),
  }),
  /**
   * The events after the number `after`; held until one comes or `waitS` seconds have passed. Instead of the id, its first
   * or last four characters or more will do when only one command has them.
   */
  readCommand: defineRoute({
    method: 'GET',
    path: '/v1/commands/:id',
    role: 'viewer',
    query: z.lazy(() =>
      z.strictObject({
        after: z.coerce.number().int().min(0).default(0),
        waitS: z.coerce.number().min(0).max(30).default(0),
      }),
    ),
    answer: CommandDetail,
  }),
  /** Whoever could have asked for the command can cancel it; `id` as for `readCommand`. */
  cancelCommand: defineRoute({
    method: 'POST',
    path: '/v1/commands/:id/cancel',
    role: 'viewer',
    status: 202,
    answer: CancelRequested,
  }),
  readRunbook: defineRoute({
    method: 'GET',
    path: '/v1/runbook',
    role: 'viewer',
    answer: RunbookVersionView,
  }),
  /** The file as it was applied. */
  downloadRunbook: defineRoute({
    method: 'GET',
    path: '/v1/runbook.yaml',
    role: 'viewer',
    answer: z.string(),
    answerType: 'text/yaml',
  }),
  /** Checking one is reading; putting it in force takes the role admin. */
  applyRunbook: defineRoute({
    method: 'PUT',
    path: '/v1/runbook',
    role: 'viewer',
    query: z.lazy(() => z.strictObject({ dryRun: z.enum(['0', '1']).default('0') })),
    body: z.string(),
    contentType: 'text/yaml',
    answer: z.lazy(() => z.union([RunbookVersionView, RunbookFindings])),
  }),
  /** The public keys with which a host's agent and runner sign, each proven by its own signature. */
  enrolHost: defineRoute({
    method: 'PUT',
    path: '/v1/hosts/:name',
    role: 'admin',
    body: DsseEnvelope,
    answer: EnrolledHost,
  }),
  listAudit: defineRoute({
    method: 'GET',
    path: '/v1/audit',
    alias: '/api/monitoring/audit',
    role: 'operator',
    query: z.lazy(() =>
      z.strictObject({
        action: z.string().max(100).optional(),
        target: z.string().max(200).optional(),
        limit: limitParameter(100),
      }),
    ),
    answer: z.lazy(() => z.array(AuditView)),
  }),
  listAlerts: defineRoute({
    method: 'GET',
    path: '/v1/alerts',
    alias: '/api/monitoring/alerts',
    role: 'viewer',
    query: z.lazy(() =>
      z.strictObject({ state: z.enum(['firing', 'resolved']).optional(), limit: limitParameter(100) }),
    ),
    answer: z.lazy(() => z.array(AlertView)),
  }),
  listIncidents: defineRoute({
    method: 'GET',
    path: '/v1/incidents',
    role: 'viewer',
    query: z.lazy(() =>
      z.strictObject({
        /** `unresolved`: open or acknowledged. */
        state: z.enum([...IncidentState.options, 'unresolved']).optional(),
        limit: limitParameter(50),
      }),
    ),
    answer: z.lazy(() => z.array(IncidentView)),
  }),
  acknowledgeIncident: defineRoute({
    method: 'POST',
    path: '/v1/incidents/:id/ack',
    role: 'responder',
    answer: IncidentView,
  }),
  runChecks: defineRoute({
    method: 'POST',
    path: '/v1/checks/run',
    role: 'responder',
    answer: z.lazy(() => z.array(CheckView)),
  }),
  listBackups: defineRoute({
    method: 'GET',
    path: '/v1/backups',
    role: 'viewer',
    query: z.lazy(() => z.strictObject({ limit: limitParameter(50) })),
    answer: z.lazy(() => z.array(BackupView)),
  }),
  verifyBackup: defineRoute({
    method: 'POST',
    path: '/v1/backups/:id/verify',
    role: 'responder',
    status: 202,
    answer: BackupView,
  }),
  followLogs: defineRoute({
    method: 'POST',
    path: '/v1/live',
    role: roleNeededFor(serviceFollow),
    isScopeChecked: true,
    body: LiveRequest,
    status: 201,
    answer: LiveTicket,
  }),
  listTokens: defineRoute({
    method: 'GET',
    path: '/v1/tokens',
    role: 'admin',
    answer: z.lazy(() => z.array(TokenView)),
  }),
  revokeToken: defineRoute({
    method: 'POST',
    path: '/v1/tokens/:name/revoke',
    role: 'admin',
  }),
};
