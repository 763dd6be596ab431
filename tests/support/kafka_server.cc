#include "tests/support/kafka_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#ifndef VARVE_KAFKA_JARS
#error "VARVE_KAFKA_JARS must be defined (it may be empty)"
#endif

namespace varve::testing {
namespace {

constexpr auto kStartLimit = seconds(90);  // 1.5 s on an idle machine; CI may be busy
constexpr auto kStopLimit = seconds(30);

bool exchange(int fd, uint16_t port, const std::string& request, std::string& answer) {
  timeval limit{.tv_sec = 2, .tv_usec = 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return false;
  if (send(fd, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size()))
    return false;
  std::array<char, 12> head;
  if (recv(fd, head.data(), head.size(), MSG_WAITALL) != static_cast<ssize_t>(head.size())) return false;
  answer.assign(head.data(), head.size());
  return true;
}

// Asks for metadata of no topic; true once the broker counts itself among the live brokers.
bool broker_answers(uint16_t port) {
  // int32 size, int16 api 3 (Metadata), int16 version 1, int32 correlation, int16 -1: no client id,
  // int32 0: no topics
  constexpr char kRequest[] = "\0\0\0\x0e\0\x03\0\x01\0\0\0\x07\xff\xff\0\0\0\0";
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::string answer;  // int32 size | int32 correlation | int32 broker count
  bool ok = exchange(fd, port, std::string(kRequest, sizeof kRequest - 1), answer);
  close(fd);
  uint32_t brokers = 0;
  if (ok) std::memcpy(&brokers, answer.data() + 8, sizeof brokers);
  return ok && answer[7] == 7 && ntohl(brokers) == 1;
}

}  // namespace

std::vector<std::string> KafkaServer::java(const std::string& main_class,
                                           const std::vector<std::string>& arguments) const {
  // A short life: interpret early, one small heap, no service threads worth having.
  std::vector<std::string> argv = {"java",
                                   "-Xms64m",
                                   "-Xmx512m",
                                   "-XX:TieredStopAtLevel=1",
                                   "-XX:+UseSerialGC",
                                   "-Xshare:auto",
                                   "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                                   "-cp",
                                   std::string(VARVE_KAFKA_JARS) + "/*",
                                   main_class};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return argv;
}

std::unique_ptr<KafkaServer> KafkaServer::start(const std::vector<std::string>& properties) {
  if (!std::filesystem::exists(VARVE_KAFKA_JARS)) {
    throw std::runtime_error("no Kafka jars at '" VARVE_KAFKA_JARS
                             "'; run ./dev setup test, then ./dev test");
  }
  std::unique_ptr<KafkaServer> server(new KafkaServer);
  server->port_ = free_port();
  uint16_t controller_port = free_port();
  std::string config = server->folder_ / "server.properties";
  std::ofstream(config) << fmt::format(
      "process.roles=broker,controller\n"
      "node.id=1\n"
      "controller.quorum.voters=1@127.0.0.1:{1}\n"
      "controller.listener.names=CONTROLLER\n"
      "listeners=PLAINTEXT://127.0.0.1:{0},CONTROLLER://127.0.0.1:{1}\n"
      "advertised.listeners=PLAINTEXT://127.0.0.1:{0}\n"
      "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n"
      "inter.broker.listener.name=PLAINTEXT\n"
      "log.dirs={2}\n"
      "num.partitions=4\n"
      "auto.create.topics.enable=true\n"
      "offsets.topic.num.partitions=1\n"
      "offsets.topic.replication.factor=1\n"
      "transaction.state.log.num.partitions=1\n"
      "transaction.state.log.replication.factor=1\n"
      "transaction.state.log.min.isr=1\n"
      "group.initial.rebalance.delay.ms=0\n"
      "broker.session.timeout.ms=3000\n"  // after a kill the broker waits for its own old session to end
      "broker.heartbeat.interval.ms=500\n"
      "num.network.threads=2\n"
      "num.io.threads=2\n"
      "{3}\n",
      server->port_, controller_port, (server->folder_ / "data").string(), fmt::join(properties, "\n"));
  auto format =
      run(server->java("kafka.tools.StorageTool", {"format", "-t", "varve0test0cluster00AA", "-c", config}),
          kStartLimit);
  if (format.exit_code != 0)
    throw std::runtime_error("kafka.tools.StorageTool format: " + format.out + format.err);
  server->launch();
  return server;
}

void KafkaServer::launch() {
  process_ = std::make_unique<Process>(java("kafka.Kafka", {folder_ / "server.properties"}));
  bool answers = false;
  wait_until(
      [&] {
        answers = broker_answers(port_);
        return answers || !process_->running();
      },
      kStartLimit);
  if (!answers) throw std::runtime_error("Kafka did not start\n" + process_->log_tail());
}

std::string KafkaServer::bootstrap() const {
  return fmt::format("127.0.0.1:{}", port_);
}

void KafkaServer::stop() {
  process_->stop(kStopLimit);
}

void KafkaServer::kill() {
  process_->kill();
}

void KafkaServer::restart() {
  if (process_->running()) throw std::runtime_error("KafkaServer::restart: stop() or kill() it first");
  launch();
}

}  // namespace varve::testing
