import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { JobStatus } from 'plainjob'
import type { Contender, OpenSettings } from '../harness/contender.ts'
import { type Mark, passOn } from '../harness/marks.ts'
import { closePlainjobQueue, plainjobProducer } from './plainjob.ts'
import { openPlainjobQueue } from './plainjob-queue.ts'

const pollMs = 10

/** README, "Multi-process Workers": "for high-throughput scenarios", a worker process for each core. */
export async function open({ folder, kind, cores }: OpenSettings): Promise<Contender> {
  const queue = openPlainjobQueue(folder)
  const children: ChildProcess[] = []
  return {
    ...plainjobProducer(queue),
    async startWorkers() {
      const program = fileURLToPath(new URL('./plainjob-process.ts', import.meta.url))
      for (let core = 0; core < cores; core++) {
        const child = fork(program, [folder, kind])
        children.push(child)
        await once(child, 'message')
        // The boundary where what the process sent gets its type.
        child.on('message', (message) => passOn(message as Mark))
      }
    },
    async completed(jobs) {
      while (queue.countJobs({ status: JobStatus.Done }) < jobs) await sleep(pollMs)
    },
    async close() {
      const ended = children.map((child) => once(child, 'exit'))
      for (const child of children) child.disconnect()
      await Promise.all(ended)
      return closePlainjobQueue(queue)
    },
  }
}
