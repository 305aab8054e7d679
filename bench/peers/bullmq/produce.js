// Enqueue N jobs one by one and print the seconds it took.
import { Queue } from "bullmq";
import { connection } from "./connection.js";

const number = Number(process.argv[2]);
const warm = 5;
const payload = "x".repeat(200);
const queue = new Queue("bench", { connection });

for (let i = 0; i < warm; i++) await queue.add("noop", { payload });
const started = process.hrtime.bigint();
for (let i = warm; i < number; i++) await queue.add("noop", { payload });
const seconds = Number(process.hrtime.bigint() - started) / 1e9;
console.log((seconds * number) / (number - warm));
await queue.close();
