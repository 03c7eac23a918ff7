/** Numbers of bytes, as people read them: 41.2 MB. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  let value = bytes / 1000;
  let unit = units.shift();
  // 999.95 is already shown as 1000.0.
  for (; value >= 999.95 && units.length > 0; value /= 1000) unit = units.shift();
  return `${value.toFixed(1)} ${unit}`;
}
