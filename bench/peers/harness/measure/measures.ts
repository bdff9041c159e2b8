import type { WorkName } from '../works.ts'
import { measureCpu } from './cpu.ts'
import { measureEnqueueBulk, measureEnqueueOne } from './enqueue.ts'
import { measureLatency } from './latency.ts'
import { measureMemory } from './memory.ts'
import { measureNoOp } from './no-op.ts'
import type { Measure } from './order.ts'
import { measureSupersede } from './supersede.ts'

export const measures: Readonly<Record<WorkName, Measure>> = {
  'enqueue-one': measureEnqueueOne,
  'enqueue-bulk': measureEnqueueBulk,
  'no-op': measureNoOp,
  cpu: measureCpu,
  latency: measureLatency,
  supersede: measureSupersede,
  memory: measureMemory,
}
