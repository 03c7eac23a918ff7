import { deepEqual, equal } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { PageSize } from '../../../src/registry/page-size.ts';

function pagesOf(size: PageSize, count: number): PageSize {
  for (let n = 0; n < count; n += 1) size.notePage();
  return size;
}

describe('the size of pages', () => {
  it('begins with the most, and stays there', () => {
    equal(new PageSize(1000).now, 1000);
    equal(pagesOf(new PageSize(1000), 500).now, 1000);
  });

  it('is halved by each page that could not be had, down to five', () => {
    const size = new PageSize(1000);
    const sizes: number[] = [];
    for (let n = 0; n < 9; n += 1) {
      size.noteTooLarge(size.now);
      sizes.push(size.now);
    }

    deepEqual(sizes, [500, 250, 125, 62, 31, 15, 7, 5, 5]);
  });

  it('is the least at five, and not above', () => {
    const size = new PageSize(12);
    const least = [size.isLeast];
    for (let n = 0; n < 2; n += 1) {
      size.noteTooLarge(size.now);
      least.push(size.isLeast);
    }

    deepEqual([least, size.now], [[false, false, true], 5]);
  });

  it('is halved once by pages that were asked for at the same time', () => {
    const size = new PageSize(1000);
    for (let n = 0; n < 8; n += 1) size.noteTooLarge(1000);

    equal(size.now, 500);
  });

  it('is doubled after fifty pages that went well, up to the most', () => {
    const size = new PageSize(1000);
    size.noteTooLarge(600);

    const sizes = [49, 1, 49, 1, 50, 50].map((pages) => pagesOf(size, pages).now);

    deepEqual(sizes, [300, 600, 600, 1000, 1000, 1000]);
  });

  it('counts the fifty anew after each page that could not be had', () => {
    const size = new PageSize(1000);
    size.noteTooLarge(1000);
    pagesOf(size, 49).noteTooLarge(500);

    deepEqual([pagesOf(size, 49).now, pagesOf(size, 1).now], [250, 500]);
  });
});
