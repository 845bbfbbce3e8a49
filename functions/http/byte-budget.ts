// Memory for the bodies of requests that one process holds at a time. Whoever is slow must not keep others out: an address
// has a share of it, and a body that has been coming for long is cut off when another needs its room.

/** One body's part of the budget. */
export interface BodyAccount {
  /** Takes bytes; false when there is no room for them. */
  take(bytes: number): boolean;
  /** The body is whole: from now on it is worked on, and never cut off. */
  finish(): void;
  /** Gives everything back. */
  close(): void;
}

export interface ByteBudget {
  /** Opens an account for a body of this address. `cutOff` is called when others need its room; it must close the account. */
  open(address: string, cutOff: () => void): BodyAccount;
}

export interface BudgetTerms {
  totalBytes: number;
  /** What the bodies of one address hold together at most. */
  bytesPerAddress: number;
  /** A body that is not whole after this long is slow. */
  slowAfterMs: number;
  /** A clock that never goes back. */
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
}: BudgetTerms): ByteBudget {
  // In the order in which they were opened: the first one that is still coming is the slowest.
  const accounts = new Set<Account>();

  function heldBy(isCounted: (account: Account) => boolean): number {
    let sum = 0;
    for (const account of accounts) if (isCounted(account)) sum += account.heldBytes;
    return sum;
  }

  /** Cuts off slow bodies until there is room in `limitBytes`; false when there are not enough of them. */
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
