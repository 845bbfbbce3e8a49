// An alert as a mail: plain text first, and the same as simple HTML. Pure.
import { incidentName } from '../incident/name.ts';
import type { Alert } from '../store/alerts.ts';
import type { AlertEvent } from '../store/deliveries.ts';
import type { Incident } from '../store/incidents.ts';
import type { NextStep } from './condition.ts';
import { findCondition } from './conditions.ts';
import { durationText, subjectOf, summaryOf } from './text.ts';

export interface MailFacts {
  alert: Alert;
  event: AlertEvent;
  /** What this mail tells besides the alert: who could not be told. */
  note: string | null;
  incident: Incident | undefined;
  /** Name of the runbook: which platform it is about. */
  platform: string;
}

export interface MailText {
  subject: string;
  text: string;
  html: string;
}

/** A heading, and lines or pairs below it; both formats are written from this. */
interface Section {
  heading: string;
  lines: readonly (readonly [string, string] | string)[];
  /** Set in a fixed width. */
  isCode?: boolean;
}

/** Writes the mail. */
export function writeMail(facts: MailFacts): MailText {
  const subject = subjectOf(facts.alert, facts.event);
  const sections = [
    factsSection(facts),
    evidenceSection(facts),
    ...(facts.event === 'resolved' ? [] : [stepsSection(facts)]),
  ].filter(({ lines }) => lines.length > 0);
  const lead = summaryOf(facts.alert, facts.event);
  const notes = facts.note === null ? [] : [`You get this because ${facts.note}`];
  const footer = `Lamplighter, for ${facts.platform}`;
  return {
    subject,
    text: [lead, ...notes, '', ...sections.flatMap(sectionText), '-- ', footer, ''].join('\n'),
    html: [
      '<!doctype html><html><body style="font-family:sans-serif;line-height:1.4">',
      `<p><strong>${escapeHtml(lead)}</strong></p>`,
      ...notes.map((note) => `<p>${escapeHtml(note)}</p>`),
      ...sections.map(sectionHtml),
      `<p style="color:#666">${escapeHtml(footer)}</p></body></html>`,
    ].join('\n'),
  };
}

function factsSection({ alert, event, incident }: MailFacts): Section {
  const lines: [string, string][] = [['host', alert.host]];
  if (alert.service !== null) lines.push(['service', alert.service]);
  lines.push(['severity', `${alert.severity} (${alert.level})`], ['since', instant(alert.firedAt)]);
  if (event === 'resolved' && alert.resolvedAt) {
    const lasted = durationText(alert.resolvedAt.getTime() - alert.firedAt.getTime());
    lines.push(['until', `${instant(alert.resolvedAt)} (${lasted})`], ['it was', alert.reason]);
    if (alert.latestReason !== null) lines.push(['at last', alert.latestReason]);
  }
  if (incident) lines.push(['incident', incidentText(incident, event)]);
  return { heading: 'What', lines };
}

function incidentText(incident: Incident, event: AlertEvent): string {
  const name = incidentName(incident.number);
  return event !== 'resolved' ? `${name}, respond by ${instant(incident.respondBy)}` : name;
}

function evidenceSection({ alert, event }: MailFacts): Section {
  return { heading: 'Evidence', lines: event === 'resolved' ? [] : alert.evidence, isCode: true };
}

function stepsSection({ alert }: MailFacts): Section {
  return {
    heading: 'What to do next',
    lines: nextSteps(alert).map(({ command, purpose }) => [command, purpose] as const),
    isCode: true,
  };
}

function sectionText({ heading, lines }: Section): string[] {
  const width = Math.max(0, ...lines.map((line) => (typeof line === 'string' ? 0 : line[0].length)));
  const body = lines.map((line) =>
    typeof line === 'string' ? `  ${line}` : `  ${line[0].padEnd(width)}  ${line[1]}`,
  );
  return [heading, ...body, ''];
}

function sectionHtml({ heading, lines, isCode }: Section): string {
  const cell = isCode ? 'font-family:monospace;' : '';
  const rows = lines.map((line) => {
    const cells = typeof line === 'string' ? [line] : line;
    return `<tr>${cells
      .map((text) => `<td style="${cell}padding:2px 16px 2px 0">${escapeHtml(text)}</td>`)
      .join('')}</tr>`;
  });
  return `<h3 style="margin-bottom:4px">${escapeHtml(heading)}</h3><table>${rows.join('')}</table>`;
}

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}

function instant(at: Date): string {
  return `${at.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** The next commands for the reader of the alert: first acknowledge, then look, then act. */
export function nextSteps(alert: Alert): NextStep[] {
  const take =
    alert.incident === null
      ? []
      : [{ command: `lamp ack ${incidentName(alert.incident)}`, purpose: 'say that you are on it' }];
  const own = findCondition(alert)?.nextSteps(alert) ?? [];
  return [...take, { command: 'lamp status', purpose: 'see everything at once' }, ...own];
}
