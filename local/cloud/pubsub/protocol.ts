// The google.pubsub.v1 services as the client's own package describes them.
import { createRequire } from 'node:module';
import type { ServiceDefinition } from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';
import * as z from 'zod';

const require = createRequire(import.meta.url);
// proto-loader's result is typed as a union with messages and enums; the two services are the only entries we take.
const Services = z.object({
  'google.pubsub.v1.Publisher': z.custom<ServiceDefinition>((value) => typeof value === 'object'),
  'google.pubsub.v1.Subscriber': z.custom<ServiceDefinition>((value) => typeof value === 'object'),
});

/** Loads both service definitions. */
export function loadServices(): { publisher: ServiceDefinition; subscriber: ServiceDefinition } {
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
