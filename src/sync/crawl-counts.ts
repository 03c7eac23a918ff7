/** What a crawl has counted so far, for who reports it and who watches. */
export interface CrawlCounts {
  repositories: number;
  tags: number;
  dropped: number;
  /** Of those that were dropped: tags that exist, and may not be pulled. */
  locked: number;
  /** Of those that were dropped: tags that are listed, and have nothing under them. */
  vanished: number;
  /** Repositories. */
  skipped: number;
  /** Repositories of the catalog that the registry does not know when it is asked for their tags. */
  unknown: number;
  /** Repositories that could not be read, wholly or in part. */
  failed: number;
}

export function noCrawlCounts(): CrawlCounts {
  return {
    repositories: 0,
    tags: 0,
    dropped: 0,
    locked: 0,
    vanished: 0,
    skipped: 0,
    unknown: 0,
    failed: 0,
  };
}
