// Which services need which others: the order in which a stack is restarted, and what a fault of one means for the others.
import * as z from 'zod';
import type { RunbookFault } from './fault.ts';
import type { Runbook } from './schema.ts';

type Services = Readonly<Record<string, { needs: readonly string[] }>>;

/**
 * The services that need this one, directly or through others, each after all that it needs itself. Empty when none does.
 * The runbook has no circle of needs.
 */
export function dependentsOf(name: string, services: Services): string[] {
  const found = new Set<string>();
  const collect = (needed: string): void => {
    for (const [other, { needs }] of Object.entries(services)) {
      if (!needs.includes(needed) || found.has(other)) continue;
      found.add(other);
      collect(other);
    }
  };
  collect(name);
  return inOrder([...found], services);
}

/** Names in the order in which they can be started: each after those of them that it needs, also through others. */
export function inOrder(names: readonly string[], services: Services): string[] {
  const wanted = new Set(names);
  const seen = new Set<string>();
  const ordered: string[] = [];
  const visit = (name: string): void => {
    if (seen.has(name)) return;
    seen.add(name);
    for (const needed of services[name]?.needs ?? []) visit(needed);
    if (wanted.has(name)) ordered.push(name);
  };
  for (const name of names) visit(name);
  return ordered;
}

const Outline = z.lazy(() =>
  z.object({
    services: z.record(z.string(), z.object({ needs: z.array(z.string()).catch([]) }).catch({ needs: [] })),
  }),
);

/** Services that need themselves through others. */
export function* needsFaults(document: unknown): Generator<RunbookFault> {
  const outline = Outline.safeParse(document);
  if (!outline.success) return;
  const { services } = outline.data;
  for (const name of Object.keys(services)) {
    const circle = circleFrom(name, services);
    if (!circle) continue;
    const message = `it needs itself: ${circle.join(' needs ')}`;
    yield { path: ['services', name, 'needs'], message, hint: 'Take one of these needs out.' };
    return;
  }
}

/** The way from a service back to itself, both ends included; undefined when there is none. */
function circleFrom(start: string, services: Services): string[] | undefined {
  const seen = new Set<string>();
  const walk = (name: string): string[] | undefined => {
    for (const needed of services[name]?.needs ?? []) {
      if (needed === start) return [name, start];
      if (seen.has(needed)) continue;
      seen.add(needed);
      const rest = walk(needed);
      if (rest) return [name, ...rest];
    }
    return undefined;
  };
  return walk(start);
}

/** The services of a runbook by their names, those of another host left out. */
export function servicesOn(host: string, { services }: Runbook): Runbook['services'] {
  return Object.fromEntries(Object.entries(services).filter(([, service]) => service.host === host));
}
