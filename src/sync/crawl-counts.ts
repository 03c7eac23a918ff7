/** What a crawl has counted so far, for who reports it and who watches. */
export interface CrawlCounts {
  repositories: number;
  tags: number;
  dropped: number;
  /** Of those that were dropped: tags that exist, and may not be pulled. */
  locked: number;
  /** Repositories. */
  skipped: number;
  /** Repositories that could not be read, wholly or in part. */
  failed: number;
}

export function noCrawlCounts(): CrawlCounts {
  return { repositories: 0, tags: 0, dropped: 0, locked: 0, skipped: 0, failed: 0 };
}
