// `lamp operations`: the catalogue as this control plane has it.
import type { Command } from 'commander';
import { ROUTES } from '#shared/api/routes.ts';
import type { OperationView } from '#shared/api/views.ts';
import { renderTable } from '../output/table.ts';
import { addExamples, type Bind } from '../verb.ts';
import { printList, type ViewContext } from '../view.ts';
import { parametersOfSchema } from './parameters.ts';

const COLUMNS = [
  { title: 'OPERATION' },
  { title: 'ROLE', dispensable: 2 },
  { title: 'PARAMETERS', flexible: true, least: 16 },
  { title: 'SUMMARY', flexible: true, least: 16, dispensable: 1 },
];

export function define(command: Command, bind: Bind): void {
  command.action(
    bind(async (session) => {
      const operations = await session.client().call(ROUTES.listOperations, {});
      return printList(session, operations, renderOperations, 'No operation.');
    }),
  );
  addExamples(command, 'lamp operations');
}

function renderOperations(operations: OperationView[], { paint, width }: ViewContext): string {
  const rows = operations.map(({ name, role, params, summary }) => [
    name,
    role,
    parametersOfSchema(params)
      .map((parameter) => (parameter.isRequired ? parameter.name : `[${parameter.name}]`))
      .join(' '),
    summary,
  ]);
  return renderTable(COLUMNS, rows, width, paint.dim);
}
