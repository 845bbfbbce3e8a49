// The entry points, registered with the functions framework. Nothing heavy is imported before the first request.
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import * as functions from '@google-cloud/functions-framework';
import { type EntryPointName, findEntryPoint } from '#shared/topology.ts';
import { checkConfig } from './config.ts';
import { createDeps, type Deps } from './deps.ts';
import type { Handler } from './http/answer.ts';
import { bodyLimitsOf } from './http/body-limits.ts';
import { openFrontDoor } from './http/front-door.ts';
import { onListening } from './http/listening.ts';
import { acknowledgeUnreadable } from './http/private.ts';
import { toProblem } from './http/problem.ts';
import type { UpgradeHandler } from './live/upgrade.ts';
import { createLog } from './log.ts';

type HandlerMaker = (deps: Deps) => Handler;

const LOADERS: Record<EntryPointName, () => Promise<HandlerMaker>> = {
  api: async () => (await import('./api/handler.ts')).handleApi,
  sign: async () => (await import('./command/sign-handler.ts')).handleSign,
  report: async () => (await import('./command/report-handler.ts')).handleReport,
  watch: async () => (await import('./tick/handler.ts')).handleWatch,
  notify: async () => (await import('./alert/notify-handler.ts')).handleNotify,
  'verify-object': async () => (await import('./backup/object-handler.ts')).handleObjectFinalised,
  verify: async () => (await import('./backup/verify-handler.ts')).handleVerify,
  live: async () => (await import('./live/handler.ts')).handleLive,
  admin: async () => (await import('./admin/handler.ts')).handleAdmin,
};

function lazyHandler(name: EntryPointName): Handler {
  let loading: Promise<Handler> | undefined;
  const load = async (): Promise<Handler> => {
    checkConfig(name, process.env);
    return (await LOADERS[name]())(createDeps(process.env, name));
  };
  return async (req, res) => {
    loading ??= load();
    try {
      await (await loading)(req, res);
    } catch (error) {
      // A handler answers its own errors: only starting it can fail here, and the next request tries again.
      loading = undefined;
      createLog().error('function did not start', error, { entryPoint: name });
      if (res.headersSent) return;
      res.status(500).setHeader('content-type', 'application/problem+json');
      res.end(JSON.stringify(toProblem(error)));
    }
  };
}

/** The framework takes its target from a flag or from the environment. */
function isTarget(name: EntryPointName): boolean {
  return process.env.FUNCTION_TARGET === name || process.argv.includes(`--target=${name}`);
}

function isPushed(name: EntryPointName): boolean {
  return findEntryPoint(name).callers.includes('push');
}

/** Passes upgrades to the relay: the framework does not pass them to functions. */
function answerUpgrades(server: Server): void {
  let loading: Promise<UpgradeHandler> | undefined;
  const load = async (): Promise<UpgradeHandler> => {
    checkConfig('live', process.env);
    const { createLiveUpgrades } = await import('./live/handler.ts');
    return createLiveUpgrades(createDeps(process.env, 'live')).onUpgrade;
  };
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // Nothing else listens while the function starts, and an error without a listener ends the process.
    socket.on('error', () => socket.destroy());
    loading ??= load();
    loading.then(
      (onUpgrade) => void onUpgrade(request, socket, head),
      (error: unknown) => {
        loading = undefined;
        createLog().error('function did not start', error, { entryPoint: 'live' });
        socket.destroy();
      },
    );
  });
}

for (const name of Object.keys(LOADERS) as EntryPointName[]) {
  const handler = lazyHandler(name);
  functions.http(name, handler);
  if (!isTarget(name)) continue;
  onListening((server) => {
    const answeringWith = createDeps(process.env, name);
    openFrontDoor(server, {
      limits: bodyLimitsOf(name),
      answeringWith,
      ...(isPushed(name) ? { answerUnreadable: acknowledgeUnreadable(answeringWith) } : {}),
    });
    if (name === 'live') answerUpgrades(server);
  });
}
