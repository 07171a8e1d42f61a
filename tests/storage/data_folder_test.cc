#include "storage/data_folder.h"

#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "tests/storage/storage_fixture.h"

namespace basalt::storage {
namespace {

class DataFolderTest : public StorageTest {
 protected:
  std::string Refused() {
    storage_.reset();
    std::string error;
    storage_ = Storage::Open(options_, &error);
    EXPECT_EQ(storage_, nullptr);
    EXPECT_EQ(error.find('\n'), std::string::npos);
    EXPECT_NE(error.find(options_.dir), std::string::npos) << "the line names the folder: " << error;
    return error;
  }
  static void WriteText(const std::string& path, const std::string& text) { std::ofstream(path) << text; }
  static std::string ReadText(const std::string& path) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }
};

TEST_F(DataFolderTest, DescribesItselfAsInFormatMd) {
  EXPECT_EQ(ReadText(options_.dir + "/BASALT"), "basalt data folder\nformat 1\nidentity " + storage_->identity() + "\n");
  EXPECT_EQ(storage_->identity().size(), 40u);
  const std::string identity = storage_->identity();
  Reopen();
  EXPECT_EQ(storage_->identity(), identity);
}

TEST_F(DataFolderTest, RefusesAFolderWithOtherFiles) {
  options_.dir = dir_ + "/other";
  std::filesystem::create_directory(options_.dir);
  WriteText(options_.dir + "/family.jpg", "x");
  EXPECT_NE(Refused().find("family.jpg"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(options_.dir + "/db"));
  EXPECT_FALSE(std::filesystem::exists(options_.dir + "/BASALT"));
}

TEST_F(DataFolderTest, TakesTheRootOfAVolume) {
  storage_.reset();
  options_.dir = dir_ + "/volume";
  std::filesystem::create_directories(options_.dir + "/lost+found");
  Open();
}

TEST_F(DataFolderTest, RefusesANewerFormatAndChangesNothing) {
  const std::string path = options_.dir + "/BASALT";
  const std::string text = "basalt data folder\nformat 2\nidentity " + storage_->identity() + "\n";
  storage_.reset();
  WriteText(path, text);
  const std::string error = Refused();
  EXPECT_NE(error.find("format 2"), std::string::npos) << error;
  EXPECT_NE(error.find("newer"), std::string::npos) << error;
  EXPECT_EQ(ReadText(path), text);
}

TEST_F(DataFolderTest, RefusesAForeignDescription) {
  storage_.reset();
  WriteText(options_.dir + "/BASALT", "column family\n");
  EXPECT_NE(Refused().find("not a file of Basalt"), std::string::npos);
}

TEST_F(DataFolderTest, RefusesADatabaseOfAnotherFolder) {
  storage_.reset();
  WriteText(options_.dir + "/BASALT", "basalt data folder\nformat 1\nidentity " + std::string(40, 'a') + "\n");
  EXPECT_NE(Refused().find("another data folder"), std::string::npos);
}

TEST_F(DataFolderTest, RefusesASecondStorageOfTheSameProcess) {
  std::string error;
  EXPECT_EQ(Storage::Open(options_, &error), nullptr);
  EXPECT_EQ(error, options_.dir + " is in use by another process");
}

TEST_F(DataFolderTest, RefusesASecondProcess) {
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::string error;
    const std::unique_ptr<DataFolder> folder = DataFolder::Open(options_.dir, &error);
    if (folder != nullptr) error = "opened";
    if (write(pipe_ends[1], error.data(), error.size()) < 0) _exit(2);
    _exit(0);
  }
  close(pipe_ends[1]);
  char said[512] = {};
  EXPECT_GT(read(pipe_ends[0], said, sizeof(said) - 1), 0);
  close(pipe_ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(std::string(said), options_.dir + " is in use by another process");
}

}  // namespace
}  // namespace basalt::storage
