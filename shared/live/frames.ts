// What travels over the live relay: JSON text frames between a host's agent, the relay and a person who watches.
// Every line has a number of its own, so that either side can go on after a drop and a loss is always visible.
import * as z from 'zod';
import { ServiceReference } from '../names.ts';
import { LogLine } from '../operations/logs.ts';

/** Which journal somebody wants to follow. */
export const LiveRequest = z.lazy(() =>
  z.strictObject({
    service: ServiceReference,
    /** How many lines of before to begin with. */
    lines: z.int().min(0).max(500).default(10),
  }),
);
export type LiveRequest = z.infer<typeof LiveRequest>;

/** 256 random bits in base64url: the viewer's half or the agent's half of a ticket, or the right to resume. */
export const LiveKey = z.string().regex(/^[A-Za-z0-9_-]{43}$/);

/** The WebSocket subprotocol both sides speak. The key travels as a second subprotocol: never in a URL, which proxies log. */
export const LIVE_PROTOCOL = 'lamplighter-live.v1';

/** `ticket`: the first time, once. `resume`: after a drop, with the key of the welcome frame. */
export type KeyUse = 'ticket' | 'resume';

/** Subprotocols a client offers. */
export function offeredProtocols(use: KeyUse, key: string): string[] {
  return [LIVE_PROTOCOL, `${use}.${key}`];
}

/** The key among the subprotocols that a client offered, or undefined. */
export function findKey(protocols: Iterable<string>): { use: KeyUse; key: string } | undefined {
  for (const protocol of protocols) {
    const match = /^(ticket|resume)\.([A-Za-z0-9_-]{43})$/.exec(protocol);
    if (match?.[2]) return { use: match[1] === 'ticket' ? 'ticket' : 'resume', key: match[2] };
  }
  return undefined;
}

export const LiveSide = z.enum(['viewer', 'agent']);
export type LiveSide = z.infer<typeof LiveSide>;

/** Most lines in one frame; with `MAX_LINE_LENGTH` this bounds a frame. */
export const MAX_FRAME_LINES = 100;
/** Longest line in characters; the agent cuts longer ones. */
export const MAX_LINE_LENGTH = 4096;
/** Largest frame in bytes: every character may take six in JSON (`\u001b`). */
export const MAX_FRAME_BYTES = MAX_FRAME_LINES * (MAX_LINE_LENGTH * 6 + 200);

const FirstNumber = z.int().positive();

/** Lines numbered from `from` on, without a gap. */
export const LinesFrame = z.lazy(() =>
  z.strictObject({
    type: z.literal('lines'),
    from: FirstNumber,
    lines: z
      .array(LogLine.unwrap().extend({ message: z.string().max(MAX_LINE_LENGTH) }))
      .min(1)
      .max(MAX_FRAME_LINES),
  }),
);
export type LinesFrame = z.infer<typeof LinesFrame>;

/** `count` lines from `from` on were lost: somebody was too slow, and buffers are bounded. */
export const DroppedFrame = z.lazy(() =>
  z.strictObject({
    type: z.literal('dropped'),
    from: FirstNumber,
    count: z.int().positive(),
  }),
);
export type DroppedFrame = z.infer<typeof DroppedFrame>;

/** First frame from the relay: the key to come back with, and the number of the line that comes next. */
export const WelcomeFrame = z.lazy(() =>
  z.strictObject({
    type: z.literal('welcome'),
    resume: LiveKey,
    next: FirstNumber,
  }),
);
export type WelcomeFrame = z.infer<typeof WelcomeFrame>;

/** To the viewer: whether the agent is there. */
export const PeerFrame = z.lazy(() => z.strictObject({ type: z.literal('peer'), present: z.boolean() }));

export const EndReason = z.enum([
  'viewer-left',
  'agent-left',
  'follow-failed',
  'time-limit',
  'agent-missing',
  'viewer-missing',
]);
export type EndReason = z.infer<typeof EndReason>;

/** Last frame: nothing comes after it, and there is nothing to come back to. */
export const EndFrame = z.lazy(() =>
  z.strictObject({
    type: z.literal('end'),
    reason: EndReason,
    detail: z.string().max(500).optional(),
  }),
);
export type EndFrame = z.infer<typeof EndFrame>;

export const AgentFrame = z.lazy(() => z.discriminatedUnion('type', [LinesFrame, DroppedFrame, EndFrame]));
export type AgentFrame = z.infer<typeof AgentFrame>;

export const ToAgentFrame = z.lazy(() => z.discriminatedUnion('type', [WelcomeFrame, EndFrame]));
export type ToAgentFrame = z.infer<typeof ToAgentFrame>;

export const ToViewerFrame = z.lazy(() =>
  z.discriminatedUnion('type', [WelcomeFrame, PeerFrame, LinesFrame, DroppedFrame, EndFrame]),
);
export type ToViewerFrame = z.infer<typeof ToViewerFrame>;

/** A frame's text parsed by one of the schemas above; undefined when it is none. */
export function parseFrame<T extends z.ZodType>(schema: T, text: string): z.infer<T> | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** A side that is cut off may come back for this long. */
export const RESUME_GRACE_MS = 30_000;
