import { expect, test } from 'vitest';
import { type BodyAccount, createByteBudget } from '#functions/http/byte-budget.ts';

function aBudget() {
  let nowMs = 0;
  const cutOff: string[] = [];
  const budget = createByteBudget({
    totalBytes: 100,
    bytesPerAddress: 60,
    slowAfterMs: 1000,
    nowMs: () => nowMs,
  });
  return {
    cutOff,
    pass: (ms: number) => {
      nowMs += ms;
    },
    open: (name: string, address = name): BodyAccount => {
      const account = budget.open(address, () => {
        cutOff.push(name);
        account.close();
      });
      return account;
    },
  };
}

test('an address has its share, and others the rest', () => {
  const { open, cutOff } = aBudget();
  expect(open('a', 'one').take(40)).toBe(true);
  expect(open('b', 'one').take(40)).toBe(false);
  expect(open('c', 'two').take(40)).toBe(true);
  expect(cutOff).toEqual([]);
});

test('what is closed is there again, also when it is closed twice', () => {
  const { open } = aBudget();
  const first = open('a');
  first.take(60);
  first.close();
  first.close();
  expect(open('b').take(60)).toBe(true);
  expect(open('c').take(60)).toBe(false);
});

test('without room the slowest that is still coming is cut off, and no more than is needed', () => {
  const { open, cutOff, pass } = aBudget();
  for (const name of ['a', 'b', 'c']) {
    open(name).take(30);
    pass(1000);
  }
  expect(open('d').take(20)).toBe(true);
  expect(cutOff).toEqual(['a']);
});

test('a body that is whole, that holds nothing, or that is young is not cut off', () => {
  const { open, cutOff, pass } = aBudget();
  const whole = open('whole');
  whole.take(50);
  whole.finish();
  open('empty');
  pass(1000);
  open('young').take(50);
  pass(999);
  expect(open('next').take(10)).toBe(false);
  expect(cutOff).toEqual([]);
  pass(1);
  expect(open('later').take(10)).toBe(true);
  expect(cutOff).toEqual(['young']);
});

test('an address that is over its share cuts off its own alone', () => {
  const { open, cutOff, pass } = aBudget();
  open('stranger').take(30);
  open('own', 'one').take(60);
  pass(1000);
  expect(open('next', 'one').take(50)).toBe(true);
  expect(cutOff).toEqual(['own']);
});

test('a body never cuts off itself', () => {
  const { open, cutOff, pass } = aBudget();
  const slow = open('slow');
  slow.take(50);
  pass(5000);
  expect(slow.take(20)).toBe(false);
  expect(cutOff).toEqual([]);
});
