/// The little of Node that the tests use.
declare module "node:http" {
  type Request = { headers: Record<string, string | undefined>; resume(): void };
  type Response = { writeHead(status: number): { end(): void } };
  export function createServer(take: (request: Request, response: Response) => void): { listen(port: number, host: string): void; close(): void };
}
