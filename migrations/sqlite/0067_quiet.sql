-- A rule's table is asked for by what changes in it, and no longer by whether its runs are quiet: nothing reads these any more.
DROP INDEX run_going;
DROP INDEX run_rule_ended;
