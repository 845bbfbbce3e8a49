// A condition is one thing that can be wrong with a host, with all that alerts about it need. Each is defined beside its
// subject (functions/<subject>/conditions.ts) and listed in conditions.ts.
import * as z from 'zod';
import type { AlertKind, Runbook } from '#shared/runbook/schema.ts';
import type { Alert, AlertKey } from '../store/alerts.ts';

/** A command, and what it does for the reader. */
export interface NextStep {
  command: string;
  purpose: string;
}

const Facts = z.lazy(() => z.looseObject({ check: z.string().optional(), service: z.string().optional() }));
/**
 * What an alert is about, as fields. `check` and `service` are names of the runbook: its severity rules, the views and the
 * log lines go by them. All other fields are the condition's own.
 */
export type Facts = z.infer<typeof Facts>;

/** The check that an alert is about, if it is about one. */
export function checkOf({ facts }: Pick<Alert, 'facts'>): string | undefined {
  return Facts.parse(facts).check;
}

interface ConditionDefinition<F> {
  /** The database and the API's answers contain the id, so it never changes. */
  id: string;
  /** The runbook's word for it, which severity rules name. */
  kind: AlertKind;
  /** Kept with the alert. */
  facts: z.ZodType<F>;
  /** Tells alerts of one host apart; without it a host has at most one alert of this condition. */
  subject?: (facts: F) => string;
  /** Limit of alerts that fire at once on a host: a stolen agent, which can invent facts, must not flood people with mail. */
  mostFiring?: number;
  /** Short and without the host, for a subject line: `engines-api is failing`. For people alone: no code decides by it. */
  title: (facts: F) => string;
  /** What the reader can do, besides the steps that every alert names. */
  nextSteps: (facts: F) => NextStep[];
  /** False when the runbook no longer has what the alert is about: nothing else would end the alert then. */
  isStillMeant: (host: string, facts: F, runbook: Runbook) => boolean;
}

/** A condition that holds on a host. */
export interface Occurrence extends AlertKey {
  kind: AlertKind;
  facts: Facts;
  title: string;
  mostFiring: number | undefined;
}

export interface Condition<F = never> {
  id: string;
  /** The condition on this host, to be raised or resolved. */
  on(host: string, facts: F): Occurrence;
  nextSteps(alert: Pick<Alert, 'facts'>): NextStep[];
  isStillMeant(alert: Pick<Alert, 'host' | 'facts'>, runbook: Runbook): boolean;
}

/** Defines a condition. An alert whose facts can't be parsed has no steps, and stays. */
export function defineCondition<F extends Facts>(definition: ConditionDefinition<F>): Condition<F> {
  const { id, kind, mostFiring } = definition;
  return {
    id,
    on(host, known) {
      const facts = definition.facts.parse(known);
      const subject = definition.subject?.(facts) ?? null;
      return { condition: id, kind, host, subject, mostFiring, facts, title: definition.title(facts) };
    },
    nextSteps(alert) {
      const { data } = definition.facts.safeParse(alert.facts);
      return data === undefined ? [] : definition.nextSteps(data);
    },
    isStillMeant({ host, facts }, runbook) {
      const { data } = definition.facts.safeParse(facts);
      return data === undefined || definition.isStillMeant(host, data, runbook);
    },
  };
}
