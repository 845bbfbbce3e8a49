// A program with its arguments, as the policy names one: root fixes every word of it.
import * as z from 'zod';
import { AbsolutePath } from '../names.ts';

const MAX_ARGUMENTS = 64;
const Argument = z
  .string()
  .max(4096)
  .regex(/^[^\0]*$/, 'an argument has no NUL character');

/** The absolute path of a program, then its arguments. No shell reads them. */
export const ProgramArguments = z
  .tuple([AbsolutePath], Argument)
  .refine((words) => words.length <= MAX_ARGUMENTS, `a program has at most ${MAX_ARGUMENTS - 1} arguments`);
export type ProgramArguments = z.infer<typeof ProgramArguments>;
