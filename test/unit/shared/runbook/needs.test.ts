import { describe, expect, test } from 'vitest';
import { dependentsOf, inOrder, needsFaults } from '#shared/runbook/needs.ts';

const services = {
  nginx: { needs: ['web', 'api'] },
  api: { needs: ['web', 'postgres'] },
  web: { needs: ['postgres'] },
  worker: { needs: ['postgres'] },
  postgres: { needs: [] },
  alone: { needs: [] },
};

describe('what needs a service comes after it, each after all that it needs itself', () => {
  test.each([
    ['web', ['api', 'nginx']],
    ['postgres', ['web', 'api', 'nginx', 'worker']],
    ['nginx', []],
    ['alone', []],
  ])('%s', (name, dependents) => {
    expect(dependentsOf(name, services)).toEqual(dependents);
  });

  test('some of the services keep the order of needs that lead through others', () => {
    expect(inOrder(['nginx', 'postgres'], services)).toEqual(['postgres', 'nginx']);
  });
});

describe('a circle of needs is a fault, told once with the way around it', () => {
  test.each([
    ['itself', { web: ['web'] }, 'it needs itself: web needs web'],
    ['another', { web: ['api'], api: ['web'] }, 'it needs itself: web needs api needs web'],
    [
      'two more, off which a side way leads',
      { web: ['side', 'api'], side: [], api: ['db'], db: ['web'] },
      'it needs itself: web needs api needs db needs web',
    ],
  ])('through %s', (_name, needs, message) => {
    const document = {
      services: Object.fromEntries(Object.entries(needs).map(([name, names]) => [name, { needs: names }])),
    };
    expect([...needsFaults(document)]).toEqual([
      { path: ['services', 'web', 'needs'], message, hint: 'Take one of these needs out.' },
    ]);
  });

  test.each([
    [
      'a diamond',
      { services: { a: { needs: ['b', 'c'] }, b: { needs: ['d'] }, c: { needs: ['d'] }, d: {} } },
    ],
    ['needs that are no list', { services: { a: { needs: 3 } } }],
    ['no document at all', null],
  ])('%s has none', (_name, document) => {
    expect([...needsFaults(document)]).toEqual([]);
  });
});
