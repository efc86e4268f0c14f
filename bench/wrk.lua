-- The requests that wrk sends, and what it measured.
-- With a file named after "--" its requests, divided by NUL, are sent in turn; without one wrk sends its own, and no
-- hook is called for a request, so that wrk is as fast as without a script.
init = function(args)
   if args[1] == nil then
      return
   end
   local file = assert(io.open(args[1], "rb"))
   local requests, count, last = {}, 0, 0
   for each in file:read("*a"):gmatch("[^%z]+") do
      count = count + 1
      requests[count] = each
   end
   file:close()
   -- Not one string is made per request: wrk.format() would take longer than some servers.
   request = function()
      last = last % count + 1
      return requests[last]
   end
end

-- One line of JSON after wrk's own report.
done = function(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format(
      '{"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,'
         .. '"errors":{"connect":%d,"read":%d,"write":%d,"timeout":%d,"status":%d}}\n',
      summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
      errors.connect, errors.read, errors.write, errors.timeout, errors.status))
end
