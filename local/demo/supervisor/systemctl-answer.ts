// What a call of systemctl comes back with, between the supervisor and its stand-in for that program.
import * as z from 'zod';

/** What a program prints and its exit code. */
export const ProgramAnswer = z.object({ code: z.int(), stdout: z.string(), stderr: z.string() });
export type ProgramAnswer = z.infer<typeof ProgramAnswer>;

/** Where the supervisor listens, below the host's root. */
export const CONTROL_SOCKET = 'run/systemd/supervisor.sock';
