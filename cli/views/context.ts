import type { Palette } from '../output/style.ts';

/** What a view needs besides its data. */
export interface ViewContext {
  paint: Palette;
  width: number;
  nowMs: number;
}
