// Resource names: projects/P/topics/T and projects/P/subscriptions/S (cloud.google.com/pubsub/docs/pubsub-basics).
import { invalidArgument } from './fault.ts';

const ID = /^[A-Za-z][A-Za-z0-9._~+%-]{2,254}$/;

function checkName(name: string, collection: 'topics' | 'subscriptions'): string {
  const [projects, project, kind, id, ...rest] = name.split('/');
  const isValid =
    projects === 'projects' && project && kind === collection && rest.length === 0 && ID.test(id ?? '');
  if (!isValid || (id ?? '').startsWith('goog')) {
    throw invalidArgument(`Invalid [${collection}] name: (name=${name})`);
  }
  return name;
}

/** Checks a topic's name. Throws INVALID_ARGUMENT. */
export function checkTopicName(name: string): string {
  return checkName(name, 'topics');
}

/** Checks a subscription's name. Throws INVALID_ARGUMENT. */
export function checkSubscriptionName(name: string): string {
  return checkName(name, 'subscriptions');
}
