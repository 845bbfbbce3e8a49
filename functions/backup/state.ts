// The states of a backup's verification. Orders come often and for the same backup at once; a round goes on until it has a
// finding, and only then can another one be opened. Pure.
import { ProofState } from '#shared/states.ts';
import type { Moves } from '../state-machine.ts';

/** What a round can find out about a backup. */
export const Proof = ProofState.exclude(['pending']);
export type Proof = (typeof Proof.options)[number];

/** `due`: a round is open. Otherwise what the last round found. */
export const VERIFICATION_STATES = ['due', ...Proof.options] as const;
export type VerificationState = (typeof VERIFICATION_STATES)[number];

export type VerificationNews = 'ordered' | `found-${Proof}`;

export const VERIFICATION_MOVES: Moves<VerificationState, VerificationNews> = {
  ordered: { from: Proof.options, to: 'due' },
  'found-intact': { from: ['due'], to: 'intact' },
  'found-verified': { from: ['due'], to: 'verified' },
  'found-corrupt': { from: ['due'], to: 'corrupt' },
};

/** Proofs that are worth at least as much as this one. */
export const AT_LEAST = {
  intact: ['intact', 'verified'],
  verified: ['verified'],
} as const satisfies Record<Exclude<Proof, 'corrupt'>, readonly Proof[]>;
