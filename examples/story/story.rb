# frozen_string_literal: true

# The story in Ruby, with pg: ruby story.rb

require "json"
require "pg"

# One owner's threads: each call is one statement, which is one transaction.
class Threads
  def initialize(connection, owner)
    @connection = connection
    @connection.type_map_for_results = PG::BasicTypeMapForResults.new(connection)
    @owner = owner
  end

  def append(key, *messages, expected_count: nil)
    query(<<~SQL, key, JSON.generate(messages), expected_count).first
      select a.state_key, a.message_count, a.appended
      from pgthreads.set_tenant($1) as t(owner),
        lateral pgthreads.append_thread(t.owner, $2, $3, $4) as a
    SQL
  end

  def load(key)
    query(<<~SQL, key).first[:messages]
      select l.messages
      from pgthreads.set_tenant($1) as t(owner),
        lateral pgthreads.load_thread(t.owner, $2) as l(messages)
    SQL
  end

  def list
    query(<<~SQL)
      select s.title, s.message_count
      from pgthreads.set_tenant($1) as t(owner), lateral pgthreads.list_threads(t.owner) as s
    SQL
  end

  def delete(key)
    query(<<~SQL, key).first[:deleted]
      select d.deleted
      from pgthreads.set_tenant($1) as t(owner),
        lateral pgthreads.soft_delete_thread(t.owner, $2) as d(deleted)
    SQL
  end

  private

  def query(sql, *arguments)
    @connection.exec_params(sql, [@owner, *arguments]).field_names_as(:symbol).to_a
  end
end

def text(id, role, words) = { id:, role:, parts: [{ type: "text", text: words }] }

# Yields. Returns the SQLSTATE if the database refused with it, and raises any other error.
def refusal(sqlstate)
  yield
  nil
rescue PG::Error => e
  raise unless e.result&.error_field(PG::PG_DIAG_SQLSTATE) == sqlstate

  sqlstate
end

connection = PG.connect
threads = Threads.new(connection, "ada")

created = threads.append(nil, text("q1", "user", "Which mountain is the highest?"))
key = created[:state_key]
puts "created: key of #{key.length} characters, count #{created[:message_count]}"

answer = text("a1", "assistant", "Mount Everest, with 8,849 m.")
%w[answered repeated].each do |step|
  done = threads.append(key, answer, expected_count: 1)
  puts "#{step}: appended #{done[:appended]}, count #{done[:message_count]}"
end

question = text("q2", "user", "And the second highest?")
if (state = refusal("THCNT") { threads.append(key, question, expected_count: 1) })
  puts "conflict: #{state}, loaded again"
  done = threads.append(key, question, expected_count: threads.load(key).length)
  puts "resolved: appended #{done[:appended]}, count #{done[:message_count]}"
end

threads.load(key).each { |message| puts "  #{message["role"]}: #{message["parts"][0]["text"]}" }
threads.list.each { |thread| puts "listed: #{thread[:title]} (#{thread[:message_count]})" }
puts "deleted: #{threads.delete(key)}"

if (state = refusal("THDEL") { threads.append(key, question) })
  puts "refused: #{state}, nothing appended"
end
puts "left: #{threads.load(key).length} messages, #{threads.list.length} threads"
connection.close
