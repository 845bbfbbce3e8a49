// The states of a backup's verification. Several orders for one backup may arrive at once; a round is open until it has a
// finding, and only then can another round be opened. Pure.
import { ProofState } from '#shared/states.ts';
import type { Moves } from '../state-machine.ts';

/** The possible findings of a round. */
export const Proof = ProofState.exclude(['pending']);
export type Proof = (typeof Proof.options)[number];

/** `due`: a round is open. Otherwise the finding of the last round. */
export const VERIFICATION_STATES = ['due', ...Proof.options] as const;
export type VerificationState = (typeof VERIFICATION_STATES)[number];

export type VerificationNews = 'ordered' | `found-${Proof}`;

export const VERIFICATION_MOVES: Moves<VerificationState, VerificationNews> = {
  ordered: { from: Proof.options, to: 'due' },
  'found-intact': { from: ['due'], to: 'intact' },
  'found-verified': { from: ['due'], to: 'verified' },
  'found-corrupt': { from: ['due'], to: 'corrupt' },
};

/** The proofs that are at least as strong as this one. */
export const AT_LEAST = {
  intact: ['intact', 'verified'],
  verified: ['verified'],
} as const satisfies Record<Exclude<Proof, 'corrupt'>, readonly Proof[]>;
