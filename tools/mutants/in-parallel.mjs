/** Runs `work` for all items, `jobs` concurrently, in their order. */
export async function inParallel(jobs, items, work) {
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const index = next++;
      await work(items[index], index);
    }
  };
  await Promise.all(Array.from({ length: jobs }, worker));
}
