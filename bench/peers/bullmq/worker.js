// BullMQ's worker with three jobs at once; completed jobs and their results are kept, as by default.
import fs from "node:fs";
import { Worker } from "bullmq";
import { connection } from "./connection.js";

const ledger = fs.openSync(process.env.BENCH_LEDGER, "a");
const worker = new Worker("bench", noop, { connection, concurrency: 3 });

async function noop(job) {
  fs.writeSync(ledger, `${process.env.BENCH_WORKER} ${process.hrtime.bigint()}\n`);
  return job.data.payload.length;
}

process.on("SIGTERM", async () => {
  await worker.close();
  process.exit(0);
});
