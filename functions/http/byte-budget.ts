// Memory for the request bodies that one process holds at a time. A slow sender must not keep others out: each address
// has a share, and a slow body is refused when another body needs its room.

/** One body's part of the budget. */
export interface BodyAccount {
  /** Reserves bytes; false when there is no room for them. */
  take(bytes: number): boolean;
  /** The body is complete: from now on it keeps its room. */
  finish(): void;
  /** Returns all reserved bytes. */
  close(): void;
}

export interface ByteBudget {
  /** Opens an account for a body of this address. `cutOff`, called when another body needs the room, must close it. */
  open(address: string, cutOff: () => void): BodyAccount;
}

export interface BudgetOptions {
  totalBytes: number;
  /** Limit for all bodies of one address together. */
  bytesPerAddress: number;
  /** A body that is not complete after this time is slow. */
  slowAfterMs: number;
  /** A monotonic clock. */
  nowMs: () => number;
}

interface Account {
  address: string;
  heldBytes: number;
  openedMs: number;
  isComing: boolean;
  cutOff: () => void;
}

/** A budget of one process. */
export function createByteBudget({
  totalBytes,
  bytesPerAddress,
  slowAfterMs,
  nowMs,
}: BudgetOptions): ByteBudget {
  // In the order of opening: the first incomplete body is the slowest.
  const accounts = new Set<Account>();

  function heldBy(isCounted: (account: Account) => boolean): number {
    let sum = 0;
    for (const account of accounts) if (isCounted(account)) sum += account.heldBytes;
    return sum;
  }

  /** Refuses slow bodies until there is room in `limitBytes`; false when that does not free enough. */
  function makeRoom(
    asking: Account,
    bytes: number,
    limitBytes: number,
    isCounted: (account: Account) => boolean,
  ): boolean {
    while (heldBy(isCounted) + bytes > limitBytes) {
      const slow = [...accounts].find(
        (other) =>
          other !== asking &&
          other.isComing &&
          other.heldBytes > 0 &&
          nowMs() - other.openedMs >= slowAfterMs &&
          isCounted(other),
      );
      if (!slow) return false;
      slow.cutOff();
      accounts.delete(slow);
    }
    return true;
  }

  return {
    open: (address, cutOff) => {
      const account = { address, heldBytes: 0, openedMs: nowMs(), isComing: true, cutOff };
      accounts.add(account);
      return {
        take: (bytes) => {
          const isOfAddress = (other: Account): boolean => other.address === address;
          if (!makeRoom(account, bytes, bytesPerAddress, isOfAddress)) return false;
          if (!makeRoom(account, bytes, totalBytes, () => true)) return false;
          account.heldBytes += bytes;
          return true;
        },
        finish: () => {
          account.isComing = false;
        },
        close: () => void accounts.delete(account),
      };
    },
  };
}
