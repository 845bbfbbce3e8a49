// Stands in for Cloud Pub/Sub: the google.pubsub.v1 gRPC service that Google's own clients speak, on loopback. Differs
// from production: of its methods only those that Lamplighter calls (create, publish, streaming pull, acknowledge, push
// configuration), the others are UNIMPLEMENTED; no IAM, filters or exactly-once delivery; with ordering, a key's next message
// goes out only after the one before was acknowledged (Google may send several at once, in order); streams are never closed
// by the server.
import { createRequire } from 'node:module';
import { Server, ServerCredentials, type ServiceDefinition } from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';
import * as z from 'zod';
import { openBroker } from './broker.ts';
import { publisherService } from './publisher-service.ts';
import type { MintIdToken } from './push.ts';
import { openStorage } from './storage.ts';
import { subscriberService } from './subscriber-service.ts';

export interface PubsubOptions {
  host: string;
  /** Default: one that is free. */
  port?: number;
  /** Where messages and resources outlive a restart; in memory when left out. */
  dataDir?: string;
  /** Makes the OIDC tokens of push subscriptions. */
  mintIdToken?: MintIdToken;
}

export interface PubsubServer {
  /** `host:port`, as PUBSUB_EMULATOR_HOST wants it. */
  address: string;
  close(): Promise<void>;
}

const KEEPALIVE_EVERY_MS = 2000;
const KEEPALIVE_TIMEOUT_MS = 2000;
const MAX_MESSAGE_BYTES = 20 * 1024 * 1024;

const require = createRequire(import.meta.url);
// proto-loader's result is typed as a union with messages and enums; the two services are the only entries we take.
const Services = z.object({
  'google.pubsub.v1.Publisher': z.custom<ServiceDefinition>((value) => typeof value === 'object'),
  'google.pubsub.v1.Subscriber': z.custom<ServiceDefinition>((value) => typeof value === 'object'),
});

/** The google.pubsub.v1 services as the client's own package describes them. */
function loadServices(): { publisher: ServiceDefinition; subscriber: ServiceDefinition } {
  const definitions = fromJSON(require('@google-cloud/pubsub/build/protos/protos.json'), {
    longs: String,
    enums: String,
    defaults: true,
    oneofs: true,
  });
  const services = Services.parse(definitions);
  return {
    publisher: services['google.pubsub.v1.Publisher'],
    subscriber: services['google.pubsub.v1.Subscriber'],
  };
}

/** Starts the server. */
export async function startPubsub(options: PubsubOptions): Promise<PubsubServer> {
  const broker = openBroker(openStorage(options.dataDir), options.mintIdToken);
  const { publisher, subscriber } = loadServices();
  const server = new Server({
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
    // A host without power does not close its stream: without keepalive, the stream would go on taking messages.
    'grpc.keepalive_time_ms': KEEPALIVE_EVERY_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
  });
  server.addService(publisher, publisherService(broker));
  server.addService(subscriber, subscriberService(broker));
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(
      `${options.host}:${options.port ?? 0}`,
      ServerCredentials.createInsecure(),
      (error, bound) => (error ? reject(error) : resolve(bound)),
    );
  });
  return {
    address: `${options.host}:${port}`,
    close: async () => {
      server.forceShutdown();
      await broker.close();
    },
  };
}
