// Until then a batch goes with every probe while the receiver is there, so that a hold that is short ends soon.
const mostDoubts = 10;
// Probes that come every five minutes: each event once in four hours.
const mostSpared = 48;

/** Whether a batch may have been stored by a receiver that holds the sink, and which probes it is spared therefore. */
export class Doubt {
  /** Its last answer put the sink on hold, or keeps it there, and it may have been stored all the same. */
  isOpen = false;
  /** It was handed over, and not acknowledged. */
  isUnacknowledged = false;
  /** Probes that left it open, those of what it was cut from included. */
  #probes = 0;
  /** The receiver was there when it was asked last. */
  #wasThere = true;
  /** Probes in a row for which it was not sent, and how many there may be. */
  #spared = 0;
  #mostSpared = 1;

  ofPart(): Doubt {
    const part = new Doubt();
    part.isOpen = this.isOpen;
    part.#probes = this.#probes;
    part.#wasThere = this.#wasThere;
    part.#mostSpared = this.#mostSpared;
    return part;
  }

  get isLasting(): boolean {
    return this.isOpen && this.#probes >= mostDoubts;
  }

  answered(isOpen: boolean, isProbe: boolean): void {
    this.isOpen = isOpen;
    if (isOpen && isProbe) this.#probes += 1;
  }

  answeredLate(isUnacknowledged: boolean): void {
    this.isUnacknowledged = isUnacknowledged;
  }

  /** It was spared so many probes that it goes with this one; fewer where several events go in turn. */
  isDue(inTurn: number): boolean {
    return this.#spared >= Math.floor(this.#mostSpared / inTurn);
  }

  /** It goes whether the receiver is there or not; the next time after twice as many probes. */
  goesUnasked(): void {
    this.#mostSpared = Math.min(mostSpared, this.#mostSpared * 2);
    this.#spared = 0;
  }

  /** The receiver was asked; true where the batch goes with this probe: one of the first, or the receiver is there that was not. */
  goes(isThere: boolean): boolean {
    const goes = isThere && (!this.#wasThere || this.#probes < mostDoubts);
    this.#wasThere = isThere;
    this.#spared = goes ? 0 : this.#spared + 1;
    return goes;
  }
}
